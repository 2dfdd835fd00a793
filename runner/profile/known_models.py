"""The table of models: which sessions they run, what they take, and when they are shut down."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import tomli

NOTICE_DAYS = 180
"""So long before its shutdown a model counts as ending, in days."""
_TABLE = Path(__file__).with_name("models.toml")


class KnownModel(NamedTuple):
    """One row of the table."""

    name: str
    sessions: tuple[str, ...]
    """The kinds of session that run it; for a transcription also beside a conversation."""
    takes: frozenset[str]
    """Of the fields that not every model takes, those that it takes."""
    released: date | None
    ends: date | None
    """When it is shut down, None where nothing is announced."""
    successor: str
    """What its maker names in its place, nothing where it is not shut down."""

    @property
    def is_ending(self) -> bool:
        """Whether it is shut down soon, or has been."""
        return self.ends is not None and self.ends - today() <= timedelta(NOTICE_DAYS)


@cache
def known_models() -> dict[str, KnownModel]:
    """The models of the table by name."""
    return {each["name"]: _row(each) for each in _read()["models"]}


@cache
def table_date() -> date:
    """When the table was last compared with its sources."""
    day: date = _read()["date"]
    return day


def today() -> date:
    """The day by which shutdowns are judged."""
    return datetime.now(UTC).date()


def lasting(name: str) -> str:
    """The model that a new profile names: this one, or its successor where this one is ending."""
    model = known_models().get(name)
    return lasting(model.successor) if model and model.is_ending else name


def _read() -> dict[str, Any]:
    return tomli.loads(_TABLE.read_text(encoding="utf-8"))


def _row(row: dict[str, Any]) -> KnownModel:
    return KnownModel(
        row["name"],
        tuple(row["sessions"]),
        frozenset(row.get("takes", ())),
        row.get("released"),
        row.get("ends"),
        row.get("successor", ""),
    )
