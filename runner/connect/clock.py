"""Dates of HTTP, and how far the clocks of this machine and of an endpoint are apart."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_TOLERANCE_S: Final = 5.0
"""The date of a handshake has whole seconds, and travels."""


def date_s(header: str) -> float | None:
    """The date in a header, in Unix seconds; None where it is none, or none that this machine can count to."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError):
        # The parser has many ways to fail at what is no date: a year of ten digits, a zone of a million hours.
        return None


def clock_behind_s(headers: Mapping[str, str], opened_at_s: float) -> float:
    """How far this machine's clock is behind the endpoint's, in seconds; 0 where that is unknown or at most 5.

    Args:
        headers: The headers of the handshake's answer, whose names may be in small letters.
        opened_at_s: When the answer came by this machine's clock, in Unix seconds.
    """
    answered_at_s = date_s(headers.get("date", ""))
    behind_s = 0.0 if answered_at_s is None else answered_at_s - opened_at_s
    return behind_s if abs(behind_s) > _TOLERANCE_S else 0.0
