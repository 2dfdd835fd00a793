"""What the endpoint says of the user beside words, and of the phases of an answer."""

from typing import Any

from runner.protocol.effects import TranscriptionEnded, TurnEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.protocol.user_effects import KeyPressed, SegmentTranscribed, UserIdle

PREFIX = "conversation.item.input_audio_transcription"


def meaning(*events: dict[str, Any]) -> list[Any]:
    """What these events mean."""
    state = SessionState()
    return [effect for event in events for effect in receive(state, {"event_id": "e", **event})]


def test_speakers_languages_keys_and_silence_are_known() -> None:
    """As the API writes them; what it leaves out is absent."""
    segment = {"type": f"{PREFIX}.segment", "item_id": "u", "text": "Hi.", "speaker": "A", "start": 0, "end": 0.5}
    completed = {"type": f"{PREFIX}.completed", "item_id": "u", "transcript": "Hi."}

    assert meaning(segment, {**completed, "languages": [{"code": "en"}, {"code": "de"}, {}]}) == [
        SegmentTranscribed("u", "Hi.", "A", 0.0, 0.5),
        TurnEnded("user", "Hi.", "u", "completed", languages=("en", "de")),
        TranscriptionEnded("u"),
    ]
    assert meaning({"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1}) == [
        KeyPressed("5")
    ]
    idle = {"type": "input_audio_buffer.timeout_triggered", "item_id": "w"}
    assert meaning({**idle, "audio_start_ms": 1000, "audio_end_ms": 7000}) == [UserIdle("w", 6000)]
    assert meaning(idle) == [UserIdle("w", 0)]


def test_a_preamble_is_reported_from_the_answer() -> None:
    """By the phase of its item."""
    content = [{"type": "output_text", "text": "One moment."}]
    item = {"id": "a", "type": "message", "role": "assistant", "status": "completed", "content": content}
    effects = meaning({"type": "conversation.item.done", "item": {**item, "phase": "commentary"}})

    assert effects == [TurnEnded("assistant", "One moment.", "a", "completed", phase="commentary")]
