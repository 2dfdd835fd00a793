"""Where the state of a session is written, and whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.settings.profile import Profile


class StatePlace(NamedTuple):
    """Where the state of a session is written, and whose it is."""

    path: Path
    profile: str
    """The name of the profile."""
    is_fresh: bool = False
    """Whether the session begins anew, whatever is written there."""


def state_place(profile: Profile, names: Mapping[str, str], *, is_fresh: bool) -> StatePlace | None:
    """Where the state of a session is written, None where it is not.

    Args:
        profile: The profile.
        names: The values of the placeholders in its paths.
        is_fresh: Whether the session begins anew.
    """
    settings = profile.run.resume
    return StatePlace(Path(settings.path.format_map(names)), names["profile"], is_fresh) if settings else None
