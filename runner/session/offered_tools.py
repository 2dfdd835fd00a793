"""Where in a session object the tools of a profile stand: a Live session's are those of the model behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.settings.profile import RealtimeSettings, is_live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.api.api_object import ApiObject
    from runner.api.live_delegation import Backend
    from runner.protocol.json_fields import JsonObject
    from runner.settings.live_settings import LiveSettings
    from runner.settings.profile import Profile


def can_call(profile: Profile) -> bool:
    """Whether a profile's session has a model that calls tools."""
    session = profile.session
    return isinstance(session, RealtimeSettings) or (is_live(session) and _backend(session) is not None)


def has_tools(profile: Profile) -> bool:
    """Whether anything of a profile is run or approved of here."""
    if not can_call(profile):
        return False
    asks = any(getattr(each, "type", "") == "mcp" for each in _in_session(profile))
    return bool(asks or profile.tools or profile.mcp_servers or profile.run.tools.hang_up)


def named_by_hand(profile: Profile) -> set[str]:
    """The names of the functions that stand in the session object."""
    return {getattr(each, "name", "") for each in _in_session(profile)}


def laid_over(profile: Profile, offered: Sequence[JsonObject]) -> list[JsonObject]:
    """The tools of a profile's session object, and those that rt-run offers."""
    by_hand = [each.model_dump(mode="json", exclude_unset=True) for each in _in_session(profile)]
    names = {each.get("name") for each in offered if each["type"] == "function"}
    return [*(each for each in by_hand if each.get("name", "") not in names), *offered]


def _in_session(profile: Profile) -> Sequence[ApiObject]:
    session = profile.session
    if isinstance(session, RealtimeSettings):
        return session.tools or ()
    backend = _backend(session) if is_live(session) else None
    return (backend.tools if backend else None) or ()


def _backend(session: LiveSettings) -> Backend | None:
    """The model of the Responses API to which a Live session delegates."""
    delegation = session.delegation
    return delegation.responses if delegation and delegation.type == "responses" else None
