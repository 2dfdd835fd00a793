"""Where in a session object the tools stand: a Live session's are those of the model behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.api.session_types import SessionType
    from runner.protocol.json_fields import JsonObject

CALLABLE: Final = frozenset({"function", "mcp"})
"""The types of the tools that both kinds of sessions know."""


def tools_of(session: JsonObject) -> list[JsonObject]:
    """The tools of a session object, of either kind."""
    found = session.get("tools")
    delegation = session.get("delegation")
    if isinstance(delegation, dict) and isinstance(backend := delegation.get("responses"), dict):
        found = backend.get("tools")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def hosted_tools(session: JsonObject) -> list[JsonObject]:
    """The tools of a session object that only the Responses API has."""
    return [each for each in tools_of(session) if each.get("type") not in CALLABLE]


def with_tools(asked: JsonObject, tools: Sequence[JsonObject]) -> JsonObject:
    """A session object that also offers these tools; of a Live session, its backend does.

    Tools that only the Responses API has stay there, and stand nowhere else.
    """
    delegation = asked.get("delegation")
    if not isinstance(delegation, dict):
        return {**asked, "tools": [each for each in tools if each.get("type") in CALLABLE]}
    own = [each for each in hosted_tools(asked) if each not in tools]
    backend = {**delegation.get("responses", {}), "tools": [*own, *tools]}
    return {**asked, "delegation": {**delegation, "responses": backend}}


def change_of_tools(kind: SessionType, tools: Sequence[JsonObject]) -> JsonObject:
    """The session object of the `session.update` that offers these tools."""
    if kind == "live":
        return {"delegation": {"type": "responses", "responses": {"tools": [*tools]}}}
    return {"type": "realtime", "tools": [each for each in tools if each.get("type") in CALLABLE]}
