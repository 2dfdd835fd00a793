"""Server events by type: the table that says which of them change a session, and how."""

from collections.abc import Callable, Collection, Mapping

from runner.api.session_types import SessionType
from runner.protocol.conversation_events import CONVERSATION_ROUTES
from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject
from runner.protocol.preview import PREVIEW_NAMES
from runner.protocol.response_events import RESPONSE_ROUTES
from runner.protocol.server_events import ITEM_EVENTS, SERVER_ROUTES, following
from runner.protocol.session_events import SESSION_ROUTES
from runner.protocol.state import SessionState

Route = Callable[[SessionState, JsonObject], list[Effect]]


def _rate_limits(state: SessionState, event: JsonObject) -> list[Effect]:
    return [*state.rate_limits.update(state.side.tables(event, "rate_limits"), state.clock())]


def _reporting(route: Route) -> Route:
    """The same function, which also reports the side fields that it could not read."""

    def reporting(state: SessionState, event: JsonObject) -> list[Effect]:
        effects = route(state, event)
        return [*unread, *effects] if (unread := state.side.report(event["type"])) else effects

    return reporting


def _table(*tables: Mapping[str, Route]) -> dict[str, Route]:
    """One table of all: every event that brings no piece reports its side fields, pieces do where they look at them."""
    return {
        kind: route if kind.endswith(".delta") else _reporting(route)
        for table in tables
        for kind, route in table.items()
    }


_OF_ITEMS = {kind: following({**CONVERSATION_ROUTES, **RESPONSE_ROUTES}[kind]) for kind in ITEM_EVENTS}
ROUTES = _table(
    CONVERSATION_ROUTES,
    RESPONSE_ROUTES,
    _OF_ITEMS,
    SERVER_ROUTES,
    SESSION_ROUTES,
    {"rate_limits.updated": _rate_limits},
)
"""The events that change the state of a conversation or a transcription."""

_ROUTES_OF_ALL_NAMES = {**ROUTES, **{old: ROUTES[name] for old, name in PREVIEW_NAMES.items() if name in ROUTES}}
"""The same, with the names of the preview protocol, which some servers use beside the current one."""

KNOWN_TYPES = frozenset(ROUTES) | {
    "conversation.created",
    "conversation.item.retrieved",
    "mcp_list_tools.completed",
    "mcp_list_tools.in_progress",
    "output_audio_buffer.cleared",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "response.content_part.added",
    "response.function_call_arguments.delta",
    "response.mcp_call.completed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.output_audio.done",
}
"""All 46 server events of the current protocol; any other is passed on, and named once in the log."""

_KNOWN_NAMES = KNOWN_TYPES | PREVIEW_NAMES.keys()
_TABLES: dict[SessionType, dict[str, Route]] = dict.fromkeys(("realtime", "transcription"), _ROUTES_OF_ALL_NAMES)
"""The tables of the kinds; that of a kind whose events no other has is added by the first session of it."""
_TYPES: dict[SessionType, Collection[str]] = dict.fromkeys(_TABLES, _KNOWN_NAMES)


def routes_of(kind: SessionType) -> dict[str, Route]:
    """The events that change the state of a session of this kind."""
    return _TABLES.get(kind) or _added(kind)


def known_types(kind: SessionType) -> Collection[str]:
    """The server events of a session of this kind."""
    routes = routes_of(kind)
    return _TYPES.get(kind, routes)


def brings_words(kind: str) -> bool:
    """Whether what such an event means is what somebody says: where it cannot be read, something is lost."""
    name = PREVIEW_NAMES.get(kind, kind)
    return name.startswith("response.") or name.endswith((".delta", ".input_audio_transcription.completed"))


def _added(kind: SessionType) -> dict[str, Route]:
    if kind == "live":
        from runner.protocol.live_server_events import LIVE_ROUTES, LIVE_TYPES

        _TYPES[kind] = LIVE_TYPES
        _TABLES[kind] = _table(LIVE_ROUTES)
    else:
        from runner.protocol.translation_events import TRANSLATION_ROUTES

        _TABLES[kind] = _table(SESSION_ROUTES, TRANSLATION_ROUTES)
    return _TABLES[kind]
