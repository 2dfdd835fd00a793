"""Another profile for a session that runs: its configuration in place, or by another connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import IllegalEvent
from runner.session.renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.profile.session_source import Fallback
    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.settings.profile import Profile


async def renew(
    carriage: Carriage, profile: Profile, asked: JsonObject | None = None, fallbacks: Sequence[Fallback] | None = None
) -> None:
    """Have a session go by another profile.

    Args:
        carriage: Where the session is.
        profile: The profile.
        asked: The `session` object to ask another connection for, to which the session moves at a quiet moment; None
            where it stays where it is.
        fallbacks: The profiles that take over where it fails, None where they stay.

    Raises:
        IllegalEvent: The session is being closed, or is being renewed already.
        RunnerError: The other connection cannot be had; the session goes on as before.
    """
    carriage.check()
    if carriage.renewal:
        msg = "the session is moving to another connection already"
        raise IllegalEvent(msg)
    renewal = carriage.renewal = Renewal(profile, asked, fallbacks)
    carriage.changes.notify()
    try:
        await renewal.wait()
    finally:
        if carriage.renewal is renewal:
            carriage.renewal = None
