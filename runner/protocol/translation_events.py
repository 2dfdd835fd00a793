"""Server events of a translation: how they change a session."""

from runner.protocol.closing import Concluded
from runner.protocol.effects import AudioDelta, Effect, TextDelta, TranscriptDelta, make
from runner.protocol.json_fields import JsonObject, text
from runner.protocol.state import SessionState
from runner.protocol.translation import AUDIO_ITEM, Side, moment_of


def _heard(state: SessionState, event: JsonObject) -> list[Effect]:
    effects, item_id, words = _added(state, "user", event)
    return [*effects, TranscriptDelta(item_id, words)]


def _spoken(state: SessionState, event: JsonObject) -> list[Effect]:
    effects, item_id, words = _added(state, "assistant", event)
    return [*effects, TextDelta("", item_id, words)]


def _added(state: SessionState, side: Side, event: JsonObject) -> tuple[list[Effect], str, str]:
    words, now = text(event, "delta"), moment_of(event, state.clock(), state.side)
    effects, item_id, words = state.translation.add(state.conversation, now, side, words)
    return [*state.side.report(event["type"]), *effects], item_id, words


def _audio(_state: SessionState, event: JsonObject) -> list[Effect]:
    return [make(AudioDelta, ("", AUDIO_ITEM, text(event, "delta")))]


def _closed(state: SessionState, _event: JsonObject) -> list[Effect]:
    translation, state.closing.is_over = state.translation, True
    ends = [*translation.end(state.conversation, "user"), *translation.end(state.conversation, "assistant")]
    return [*ends, Concluded(state.closing.is_asked)]


TRANSLATION_ROUTES = {
    "session.closed": _closed,
    "session.input_transcript.delta": _heard,
    "session.output_audio.delta": _audio,
    "session.output_transcript.delta": _spoken,
}
"""The events of a translation, which no other kind of session has."""
