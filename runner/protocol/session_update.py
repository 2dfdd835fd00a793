"""The first client event of every connection: what a profile asks of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.api.session_types import LIVE_START
from runner.settings.profile import is_live

if TYPE_CHECKING:
    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile


LOCAL_MODEL = "local"
"""What the model of the local endpoint is called where the profile names none."""


def session_update(profile: Profile) -> JsonObject:
    """The `session.update` event of a profile: only what it sets, `extra` merged in, never the model.

    A Live session begins with `session.start` instead, which names the model too.

    Whatever depends on what is asked for, such as the format of the audio that goes in, reads it from this event.
    """
    # Through the profile, whose serializer exists already; the session's own would have to be built first.
    dumped = profile.model_dump(
        mode="json", exclude_unset=True, include={"session"}, exclude={"session": {"extra", "model"}}
    )
    session = dumped.get("session", {})
    asked = merged({"type": profile.session.type, **session}, dict(profile.session.extra))
    asked.pop("model", None)
    if profile.session.type in {"translation", "live"}:
        # The address says it, and the API knows no such field.
        asked.pop("type")
    if is_live(profile.session):
        name = profile.model.name if profile.model else profile.session.model
        return {"type": LIVE_START, "session": {"model": name or LOCAL_MODEL, **asked}}
    return {"type": "session.update", "session": asked}


def merged(under: JsonObject, over: JsonObject) -> JsonObject:
    """One `session` object laid over another, field by field; an object of another `type` replaces the one below."""
    result = dict(under)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(below, dict) and isinstance(value, dict) and value.get("type") in {None, below.get("type")}:
            value = merged(below, value)
        result[name] = value
    return result
