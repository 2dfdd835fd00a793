"""What a session is opened from: its profile, and those that take over where that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile


class Fallback(NamedTuple):
    """A profile that can take over from another one."""

    name: str
    profile: Profile


class SessionProfile(NamedTuple):
    """What a session is opened from."""

    profile: Profile
    """A valid profile, with its variables' values in its texts."""
    name: str = ""
    """Its name, nothing where it has none."""
    fallbacks: Sequence[Fallback] = ()
    """The profiles that take over where it fails."""
    asked: JsonObject | None = None
    """The `session` object of its first event, None where nobody has needed it yet."""
