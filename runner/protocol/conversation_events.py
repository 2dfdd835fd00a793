"""Server events of items, of the input buffer and of transcription: how they change a session."""

from runner.protocol.conversation import turn_ended
from runner.protocol.effects import (
    Effect,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    Truncated,
)
from runner.protocol.history import heard
from runner.protocol.json_fields import JsonObject, count, optional_table, optional_text, table, tables, text
from runner.protocol.severity import error_for_failure
from runner.protocol.state import SessionState


def _item_placed(state: SessionState, event: JsonObject) -> list[Effect]:
    previous = optional_text(event, "previous_item_id") or None
    item = state.conversation.put(table(event, "item"), previous)
    return turn_ended(item) if item.role != "assistant" else []


def _item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    return finished(state, table(event, "item"))


def _truncated(state: SessionState, event: JsonObject) -> list[Effect]:
    item = state.conversation.get(text(event, "item_id"))
    if item is None:
        return []
    item.heard_ms = count(event, "audio_end_ms")
    words = heard(item, state.configuration.output_format)
    return [Truncated(item.id, item.heard_ms, "".join(words[index] for index in sorted(words)))]


def _item_deleted(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = text(event, "item_id")
    state.conversation.remove(item_id)
    if item_id not in state.pending.transcribing:
        return []
    state.pending.transcribing.discard(item_id)
    return [TranscriptionEnded(item_id)]


def _speech_started(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, audio_ms = optional_text(event, "item_id"), count(event, "audio_start_ms")
    if state.configuration.detects_turns:
        state.pending.hear("speaking", audio_ms)
    return [SpeechStarted(item_id, audio_ms, state.configuration.interrupts)]


def _speech_stopped(state: SessionState, event: JsonObject) -> list[Effect]:
    # A turn that is neither answered nor transcribed brings no further event.
    followed = state.configuration.answers_turns or (
        state.configuration.detects_turns and state.configuration.hearing.get("transcription")
    )
    item_id, audio_ms = optional_text(event, "item_id"), count(event, "audio_end_ms")
    state.pending.hear("stopped" if followed else "none", audio_ms)
    return [SpeechStopped(item_id, audio_ms)]


def _cleared(state: SessionState, _event: JsonObject) -> list[Effect]:
    state.pending.drop_turn()
    return []


def _committed(state: SessionState, event: JsonObject) -> list[Effect]:
    state.pending.commit(answered=state.configuration.answers_turns)
    if not state.configuration.hearing.get("transcription"):
        return []
    item_id = optional_text(event, "item_id")
    state.pending.transcribing.add(item_id)
    return [TranscriptionStarted(item_id)] if item_id else []


def _transcription_failed(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = text(event, "item_id")
    _transcribed(state, item_id)
    return [TranscriptionEnded(item_id, error_for_failure("the transcription failed", event.get("error")))]


def _transcribed(state: SessionState, item_id: str) -> None:
    state.pending.transcribed(item_id)
    if not state.configuration.answers_turns and state.pending.turn == "stopped":
        state.pending.turn = "none"


def _transcript_delta(_state: SessionState, event: JsonObject) -> list[Effect]:
    return [TranscriptDelta(text(event, "item_id"), optional_text(event, "delta"))]


def _transcript(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = text(event, "item_id")
    _transcribed(state, item_id)
    transcript = text(event, "transcript")
    state.usage.add_transcription(optional_table(event, "usage"))
    if state.conversation.get(item_id) is None:
        # The item was not announced; that these are the user's words is known all the same.
        state.conversation.put({"id": item_id, "type": "message", "role": "user"})
    item = state.conversation.append(item_id, count(event, "content_index"), transcript, whole=True)
    return [*turn_ended(item, tuple(tables(event, "logprobs"))), TranscriptionEnded(item_id)]


def finished(state: SessionState, incoming: JsonObject) -> list[Effect]:
    """Take in a complete item, and report the turn that it ends."""
    item = state.conversation.put(incoming)
    if item.status == "in_progress":
        item.status = "completed"
    return turn_ended(item)


CONVERSATION_ROUTES = {
    "conversation.item.created": _item_placed,
    "conversation.item.added": _item_placed,
    "conversation.item.done": _item_done,
    "conversation.item.deleted": _item_deleted,
    "conversation.item.truncated": _truncated,
    "conversation.item.input_audio_transcription.completed": _transcript,
    "conversation.item.input_audio_transcription.delta": _transcript_delta,
    "conversation.item.input_audio_transcription.failed": _transcription_failed,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
}
"""The events of items, of turn detection and of transcription."""
