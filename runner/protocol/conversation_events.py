"""Server events of items, of the input buffer and of transcription: how they change a session."""

from runner.protocol.effects import (
    Effect,
    SpeechStarted,
    SpeechStopped,
    TextCorrected,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    TurnEnded,
)
from runner.protocol.history import note_heard
from runner.protocol.item import Item, corrections, part_index
from runner.protocol.json_fields import BadField, JsonObject, identifier, optional_text, table, text
from runner.protocol.severity import error_for_failure
from runner.protocol.state import SessionState
from runner.protocol.transcripts import MAX_TRANSCRIPTS
from runner.protocol.user_effects import KeyPressed, SegmentTranscribed, UserIdle


def _item_placed(state: SessionState, event: JsonObject) -> list[Effect]:
    previous = state.side.identifier(event, "previous_item_id") or None
    item = state.conversation.put(table(event, "item"), previous)
    if item.type == "function_call_output":
        return _answered(state, item)
    return state.conversation.end_turn(item) if item.role != "assistant" else []


def _answered(state: SessionState, item: Item) -> list[Effect]:
    """Report the output of a function, once."""
    if item.is_announced:
        return []
    item.is_announced = True
    return [state.rounds.answered(item, state.conversation.call_of(item))]


def _item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    return finished(state, table(event, "item"))


def _truncated(state: SessionState, event: JsonObject) -> list[Effect]:
    item = state.conversation.get(identifier(event, "item_id"))
    if item is None:
        return []
    heard_ms = state.side.whole(event, "audio_end_ms")
    # Where the endpoint does not say, what we have asked for holds.
    heard_ms = item.heard_ms if heard_ms is None else heard_ms
    return [] if heard_ms is None else [note_heard(item, heard_ms, state.configuration.output_format)]


def _item_deleted(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = identifier(event, "item_id")
    state.conversation.remove(item_id)
    if item_id not in state.pending.transcribing:
        return []
    state.pending.transcribing.discard(item_id)
    return [TranscriptionEnded(item_id)]


def _speech_started(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, audio_ms = state.side.identifier(event, "item_id"), state.side.whole(event, "audio_start_ms") or 0
    if state.configuration.detects_turns:
        state.pending.hear("speaking", audio_ms)
    return [SpeechStarted(item_id, audio_ms, state.configuration.interrupts)]


def _speech_stopped(state: SessionState, event: JsonObject) -> list[Effect]:
    # A turn that is neither answered nor transcribed brings no further event.
    followed = state.configuration.answers_turns or (
        state.configuration.detects_turns and state.configuration.hearing.get("transcription")
    )
    item_id, audio_ms = state.side.identifier(event, "item_id"), state.side.whole(event, "audio_end_ms") or 0
    state.pending.hear("stopped" if followed else "none", audio_ms)
    return [SpeechStopped(item_id, audio_ms)]


def _cleared(state: SessionState, _event: JsonObject) -> list[Effect]:
    state.pending.drop_turn()
    return []


def _committed(state: SessionState, event: JsonObject) -> list[Effect]:
    state.pending.commit(answered=state.configuration.answers_turns)
    if not state.configuration.hearing.get("transcription"):
        return []
    item_id = state.side.identifier(event, "item_id")
    if len(state.pending.transcribing) < MAX_TRANSCRIPTS:
        state.pending.transcribing.add(item_id)
    return [TranscriptionStarted(item_id)] if item_id else []


def _transcription_failed(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = _transcribed_item(state, event)
    _transcribed(state, item_id)
    state.transcripts.end(item_id)
    return [TranscriptionEnded(item_id, error_for_failure("the transcription failed", event.get("error")))]


def _transcribed_item(state: SessionState, event: JsonObject) -> str:
    """The item whose audio was transcribed; where the endpoint does not say, the only one that waits for it."""
    waiting = state.pending.transcribing
    item_id = state.side.identifier(event, "item_id") or (next(iter(waiting)) if len(waiting) == 1 else "")
    return item_id or f"heard_{next(state.sent.numbers):06d}"


def _transcribed(state: SessionState, item_id: str) -> None:
    state.pending.transcribed(item_id)
    if not state.configuration.answers_turns and state.pending.turn == "stopped":
        state.pending.turn = "none"


def _transcript_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, piece = event.get("item_id"), event.get("delta")
    if not type(item_id) is type(piece) is str:
        waiting = state.pending.transcribing
        item_id = state.side.identifier(event, "item_id") or (next(iter(waiting)) if len(waiting) == 1 else "")
        piece = optional_text(event, "delta")
        if not item_id:
            raise BadField("item_id", "a string")
    state.transcripts.add(item_id, piece)
    return [*state.side.report(event["type"]), TranscriptDelta(item_id, piece)]


def _transcript(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = _transcribed_item(state, event)
    pieces = state.transcripts.end(item_id)
    # Some servers say null for silence, and some have said it all in pieces.
    transcript = "".join(pieces) if event.get("transcript") is None else text(event, "transcript")
    _transcribed(state, item_id)
    state.usage.add_transcription(state.side.table(event, "usage"), state.side)
    logprobs = tuple(state.side.tables(event, "logprobs"))
    languages = tuple(filter(None, (state.side.text(each, "code") for each in state.side.tables(event, "languages"))))
    # The item may not have been announced; that these are the user's words is known all the same.
    item = state.conversation.message(item_id, "user")
    item.languages = languages or item.languages
    ended = TranscriptionEnded(item_id)
    if item.is_announced and transcript.strip() not in item.text:
        # Some servers write down one turn in several transcripts.
        item.end_part(len(item.texts), transcript)
        return [TurnEnded(item.role, transcript, item_id, "completed", logprobs, languages), ended]
    if transcript:
        item.end_part(part_index(event, state.side), transcript)
    wrong = [each for each in corrections(pieces, transcript, item_id, "") if isinstance(each, TextCorrected)]
    return [*wrong, *state.conversation.end_turn(item, logprobs), ended]


def _segment(state: SessionState, event: JsonObject) -> list[Effect]:
    side = state.side
    item_id, said, speaker = side.identifier(event, "item_id"), text(event, "text"), side.text(event, "speaker")
    return [SegmentTranscribed(item_id, said, speaker, side.number(event, "start"), side.number(event, "end"))]


def _key_pressed(state: SessionState, event: JsonObject) -> list[Effect]:
    key = state.side.identifier(event, "event")
    return [KeyPressed(key)] if key else []


def _idle(state: SessionState, event: JsonObject) -> list[Effect]:
    start_ms, end_ms = (state.side.whole(event, f"audio_{edge}_ms") or 0 for edge in ("start", "end"))
    return [UserIdle(state.side.identifier(event, "item_id"), max(0, end_ms - start_ms))]


def finished(state: SessionState, incoming: JsonObject) -> list[Effect]:
    """Take in a complete item, and report the turn that it ends."""
    item = state.conversation.put(incoming)
    if item.status == "in_progress":
        item.status = "completed"
    return state.conversation.end_turn(item)


CONVERSATION_ROUTES = {
    "conversation.item.created": _item_placed,
    "conversation.item.added": _item_placed,
    "conversation.item.done": _item_done,
    "conversation.item.deleted": _item_deleted,
    "conversation.item.truncated": _truncated,
    "conversation.item.input_audio_transcription.completed": _transcript,
    "conversation.item.input_audio_transcription.delta": _transcript_delta,
    "conversation.item.input_audio_transcription.failed": _transcription_failed,
    "conversation.item.input_audio_transcription.segment": _segment,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.dtmf_event_received": _key_pressed,
    "input_audio_buffer.timeout_triggered": _idle,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
}
"""The events of items, of turn detection and of transcription."""
