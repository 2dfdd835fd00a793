"""Server events by type: the table that says which of them change a session, and how."""

from collections.abc import Callable, Collection

from runner.api.session_types import SessionType
from runner.protocol.conversation_events import CONVERSATION_ROUTES
from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject, tables
from runner.protocol.response_events import RESPONSE_ROUTES
from runner.protocol.session_events import SESSION_ROUTES
from runner.protocol.state import SessionState
from runner.protocol.translation_events import TRANSLATION_ROUTES

Route = Callable[[SessionState, JsonObject], list[Effect]]


def _rate_limits(state: SessionState, event: JsonObject) -> list[Effect]:
    return [*state.rate_limits.update(tables(event, "rate_limits"), state.clock())]


ROUTES: dict[str, Route] = {
    **CONVERSATION_ROUTES,
    **RESPONSE_ROUTES,
    **SESSION_ROUTES,
    "rate_limits.updated": _rate_limits,
}
"""The events that change the state of a conversation or a transcription."""

KNOWN_TYPES = frozenset(ROUTES) | {
    "conversation.created",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.retrieved",
    "input_audio_buffer.dtmf_event_received",
    "input_audio_buffer.timeout_triggered",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "mcp_list_tools.in_progress",
    "output_audio_buffer.cleared",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.output_audio.done",
}
"""All 46 server events of the current protocol; any other is passed on, and named once in the log."""

_TRANSLATION: dict[str, Route] = {**SESSION_ROUTES, **TRANSLATION_ROUTES}


def routes_of(kind: SessionType) -> dict[str, Route]:
    """The events that change the state of a session of this kind."""
    return _TRANSLATION if kind == "translation" else ROUTES


def known_types(kind: SessionType) -> Collection[str]:
    """The server events of a session of this kind."""
    return _TRANSLATION if kind == "translation" else KNOWN_TYPES
