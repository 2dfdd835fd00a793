"""The first event of every session: what a profile asks of the server."""

from typing import Any

from runner.settings.profile import Profile


def session_update(profile: Profile) -> dict[str, Any]:
    """The `session.update` event of a profile: only what it sets, `extra` merged in, never the model."""
    # Through the profile, whose serializer exists already; the session's own would have to be built first.
    dumped = profile.model_dump(
        mode="json", exclude_unset=True, include={"session"}, exclude={"session": {"extra", "model"}}
    )
    session = dumped.get("session", {})
    merged = _merged({"type": profile.session.type, **session}, dict(profile.session.extra))
    merged.pop("model", None)
    return {"type": "session.update", "session": merged}


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for name, value in over.items():
        below = result.get(name)
        result[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
