"""A session hears turns, writes them down and answers them, as the API does."""

import base64
from typing import Any

import pytest

from runner.audio.format import FORMATS, PCM, AudioFormat
from runner.local.session.input_buffer import InputBuffer
from runner.local.session.turn_detection import TurnSettings, TurnStarted
from runner.local.speech.loudness import LoudnessDetector
from tests.helpers.local_client import Wire, new_session, said, silence

TRANSCRIBED = {"transcription": {"model": "gpt-4o-transcribe"}}
KIND = "conversation.item.input_audio_transcription"


def types(events: list[dict[str, Any]]) -> list[str]:
    """The types of events, repeated ones once."""
    names = [event["type"] for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def of(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only event of a kind."""
    (found,) = (event for event in events if event["type"] == kind)
    return found


def answer(events: list[dict[str, Any]]) -> str:
    """The transcript of the response that is done."""
    return str(of(events, "response.done")["response"]["output"][0]["content"][0]["transcript"])


def turn(text: str, form: AudioFormat = PCM) -> bytes:
    """A text between silences, the last one long enough to end the turn; multiples of 20 ms."""
    spoken = said(text, form)
    rest_ms = -form.ms(len(spoken)) % 20
    return silence(1000, form) + spoken + silence(500 + rest_ms, form)


def setting(**more: Any) -> dict[str, Any]:
    """Audio settings with server VAD."""
    return {"input": {**TRANSCRIBED, "turn_detection": {"type": "server_vad", **more}}}


@pytest.mark.parametrize("encoding", list(FORMATS))
def test_a_spoken_question_is_heard_written_down_and_answered(encoding: str) -> None:
    """The events of a turn come in the API's order, with times to the millisecond, in every format."""
    form = FORMATS[encoding]
    wire = Wire()
    wire.update(audio={"input": {**TRANSCRIBED, "format": {"type": encoding}}})
    audio = turn("What time is it?", form)

    events = [each for at in range(0, len(audio), 999) for each in wire.hear(audio[at : at + 999])]

    started, stopped = (of(events, f"input_audio_buffer.speech_{what}") for what in ("started", "stopped"))
    committed = of(events, "input_audio_buffer.committed")
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        f"{KIND}.delta",
        f"{KIND}.completed",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
    ]
    heard = next(each["item"]["content"] for each in events if each["type"] == "conversation.item.added")
    assert heard == [{"type": "input_audio", "transcript": None}]
    assert started["audio_start_ms"] == 700
    assert stopped["audio_end_ms"] == 1000 + 380 + 500
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    completed = of(events, f"{KIND}.completed")
    assert "".join(each["delta"] for each in events if each["type"] == f"{KIND}.delta") == completed["transcript"]
    assert completed["transcript"] == "What time is it?"
    assert completed["usage"] == {"type": "duration", "seconds": 1.18}
    assert answer(wire.finish()) == "You said: What time is it?"
    (retrieved,) = wire.send("conversation.item.retrieve", item_id=committed["item_id"])
    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": "What time is it?"}]


def test_a_script_answers_spoken_words() -> None:
    """The model hears audio by itself: without transcription, too, and then no transcript is shown."""
    wire = Wire(new_session(script=[{"match": "weather in (\\w+)", "reply": "Rain in \\1."}]))

    events = wire.hear(turn("How is the weather in Bern?")) + wire.finish()

    assert answer(events) == "Rain in Bern."
    assert not [name for name in types(events) if name.startswith(KIND)]
    item_id = of(events, "input_audio_buffer.committed")["item_id"]
    (retrieved,) = wire.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": None}]


def test_two_endpoints_could_talk_to_each_other() -> None:
    """The answer's audio is the answer's text."""
    first, second = Wire(), Wire()

    answered = first.hear(turn("Hello")) + first.finish()
    deltas = (each["delta"] for each in answered if each["type"] == "response.output_audio.delta")
    events = second.hear(b"".join(map(base64.b64decode, deltas)) + silence(600)) + second.finish()

    assert answer(events) == "You said: You said: Hello"


def test_what_is_not_understood_is_reported_and_answered_by_its_length() -> None:
    """A transcript is refused, not invented."""
    wire = Wire()
    wire.update(audio={"input": TRANSCRIBED})
    loud = b"\x00\x10\x00\xf0" * 12_000

    events = wire.hear(loud + silence(500))

    failed = of(events, f"{KIND}.failed")
    assert failed["error"]["code"] == "audio_unintelligible"
    assert "only its own synthetic voice" in failed["error"]["message"]
    assert answer(wire.finish()) == "I heard 1.5 s of audio."


def test_audio_in_an_item_is_heard() -> None:
    """A client may send a whole recording as an item."""
    wire = Wire()
    audio = base64.b64encode(said("Read this")).decode()
    content = [{"type": "input_audio", "audio": audio}]

    wire.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    wire.send("response.create")
    aside = {"conversation": "none", "input": [{"type": "message", "role": "user", "content": content}]}
    first = wire.finish()
    wire.send("response.create", response=aside)

    assert answer(first) == "You said: Read this"
    assert answer(wire.finish()) == "You said: Read this"


def test_a_response_waits_for_what_it_answers() -> None:
    """It begins at once, and speaks when the words are known; cancelled before, it never does."""
    wire = Wire()
    wire.does_jobs = False
    events = wire.hear(turn("Wait"))
    assert "response.created" in types(events)
    assert not wire.session.can_advance

    cancelled = wire.send("response.cancel")
    again = wire.send("response.create")
    wire.work()

    assert of(cancelled, "response.done")["response"]["status"] == "cancelled"
    assert again[0]["type"] == "response.created"
    assert answer(wire.finish()) == "You said: Wait"


def test_who_speaks_interrupts_the_answer() -> None:
    """The response in flight is cancelled, with the API's reason, right after `speech_started`."""
    wire = Wire()
    wire.hear(turn("Tell me a long story"))
    wire.step()

    events = wire.hear(turn("Stop"))

    names = types(events)
    assert names[0] == "input_audio_buffer.speech_started"
    done = of(events, "response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert names.index("response.done") < names.index("input_audio_buffer.speech_stopped")
    assert done["output"][0]["content"][0]["transcript"] == "You"
    assert answer(wire.finish()) == "You said: Stop"


def test_without_interruption_the_turn_is_answered_afterwards() -> None:
    """The response in flight goes on, and the next one begins at its end."""
    wire = Wire()
    wire.update(audio=setting(interrupt_response=False))
    wire.hear(turn("One"))
    wire.step()

    events = wire.hear(turn("Two"))
    rest = wire.finish()

    assert "response.done" not in types(events)
    assert "response.created" not in types(events)
    assert [each["response"]["status"] for each in rest if each["type"] == "response.done"] == ["completed"] * 2
    names = types(rest)
    assert names.index("response.done") < names.index("response.created")


def test_a_turn_need_not_be_answered() -> None:
    """Without `create_response` the turn is an item, and no more."""
    wire = Wire()
    wire.update(audio=setting(create_response=False))

    events = wire.hear(turn("Hello"))

    assert types(events)[-1] == f"{KIND}.completed"
    assert not wire.session.can_advance
    wire.send("response.create")
    assert answer(wire.finish()) == "You said: Hello"


def test_silence_after_an_answer_makes_the_model_speak_up() -> None:
    """The time counts from where the answer was heard out, in the audio that was sent."""
    wire = Wire()
    wire.update(audio=setting(idle_timeout_ms=5000))
    wire.hear(silence(9000))
    wire.hear(turn("Hello"))
    wire.finish()
    answered_ms = 9000 + len(turn("Hello")) // 48
    spoken_ms = 24 * len("You said: Hello")

    early = wire.hear(silence(5340))
    events = wire.hear(silence(20))

    assert early == []
    timeout = of(events, "input_audio_buffer.timeout_triggered")
    assert timeout["audio_start_ms"] == answered_ms + spoken_ms
    assert timeout["audio_end_ms"] == answered_ms + 5360
    assert types(events)[:4] == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert timeout["item_id"] == of(events, "input_audio_buffer.committed")["item_id"]
    assert answer(wire.finish()) == "I heard 5.0 s of audio."


def test_a_commit_by_hand_ends_what_turn_detection_hears() -> None:
    """The item has the id that was told; what follows is a turn of its own, and the commit is not answered."""
    wire = Wire()
    wire.update(audio=setting())
    started = wire.hear(silence(100) + said("By hand"))

    events = wire.send("input_audio_buffer.commit")
    later = wire.hear(silence(1000))

    assert types(started) == ["input_audio_buffer.speech_started"]
    assert of(events, "input_audio_buffer.committed")["item_id"] == started[0]["item_id"]
    assert of(events, f"{KIND}.completed")["transcript"] == "By hand"
    assert later == []
    assert of(wire.hear(turn("Next")), "input_audio_buffer.speech_started")["audio_start_ms"] == 1268 + 1000 - 300 - 8


def test_what_was_cleared_is_no_turn() -> None:
    """A turn that is being spoken goes with the buffer; time goes on."""
    wire = Wire()
    wire.hear(silence(100) + said("Forget this"))

    cleared = wire.send("input_audio_buffer.clear")
    later = wire.hear(silence(1000))

    assert types(cleared) == ["input_audio_buffer.cleared"]
    assert later == []


def test_without_turn_detection_the_client_commits() -> None:
    """Loud audio has no event; the commit has a transcript; turning detection on does not look back."""
    wire = Wire()
    wire.update(audio={"input": {**TRANSCRIBED, "turn_detection": None}})

    assert wire.hear(turn("Quietly")) == []
    events = wire.send("input_audio_buffer.commit")
    wire.hear(said("Before"))
    wire.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})

    assert of(events, f"{KIND}.completed")["transcript"] == "Quietly"
    assert wire.hear(silence(1000)) == []


def test_another_format_starts_a_new_buffer() -> None:
    """What was sent in the old format is not mixed with the new one, and no turn is broken off by it."""
    wire = Wire()
    wire.hear(said("Old one"))
    change = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    refusal = wire.refusal("session.update", session=change)
    assert (refusal["code"], refusal["param"]) == ("invalid_value", "session.audio.input.format")
    wire.hear(PCM.silence(PCM.size_bytes(600)))
    wire.finish()
    wire.update(audio={"input": {"format": {"type": "audio/pcmu"}}})

    assert wire.refusal("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    assert answer(wire.hear(turn("New", FORMATS["audio/pcmu"])) + wire.finish()) == "You said: New"


def test_a_transcription_session_writes_turns_down() -> None:
    """Committed, an item, deltas and the whole; never a response."""
    wire = Wire(new_session(kind="transcription"))
    wire.update(audio={"input": TRANSCRIBED}, include=["item.input_audio_transcription.logprobs"])

    events = wire.hear(turn("Take this down")) + wire.hear(turn("And this"))

    assert [each["transcript"] for each in events if each["type"] == f"{KIND}.completed"] == [
        "Take this down",
        "And this",
    ]
    assert all("logprobs" not in each for each in events)
    assert not [name for name in types(events) if name.startswith("response.")]
    committed = [each for each in events if each["type"] == "input_audio_buffer.committed"]
    assert [each["previous_item_id"] for each in committed] == [None, committed[0]["item_id"]]


def test_an_answer_can_be_cut_while_it_is_given() -> None:
    """History then shows audio without a transcript, whatever is still said."""
    wire = Wire()
    wire.hear(turn("Hello"))
    pieces = wire.step() + wire.step()
    item_id = of(pieces[:1], "response.output_audio_transcript.delta")["item_id"]
    said_ms = 24 * len("You said")

    beyond = wire.refusal("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=said_ms + 1)
    (cut,) = wire.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
    wire.finish()

    assert beyond["message"] == f"Audio content of {said_ms}ms is already shorter than {said_ms + 1}ms"
    assert cut["audio_end_ms"] == 0
    (retrieved,) = wire.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "output_audio"}]
    again = {"item_id": item_id, "content_index": 0, "audio_end_ms": 1}
    assert wire.refusal("conversation.item.truncate", **again)["message"].startswith("Audio content of 0ms")


def test_the_buffer_is_bounded() -> None:
    """Of ten minutes and more the beginning goes; between turns half a minute stays."""
    by_hand = InputBuffer(LoudnessDetector, is_slow=False)
    by_hand.configure(PCM, None)
    watched = InputBuffer(LoudnessDetector, is_slow=False)
    watched.configure(PCM, TurnSettings())
    for _ in range(66):
        for hearing in (by_hand, watched):
            assert list(hearing.append(silence(10_000))) == []

    assert by_hand.received_ms == watched.received_ms == 660_000
    assert PCM.ms(len(by_hand.commit()[1].data)) == 600_000
    assert PCM.ms(len(watched.commit()[1].data)) == 30_000
    (started,) = watched.append(said("Hello"))
    item_id = watched.item_id
    assert started == TurnStarted(item_id, 660_000)


def test_half_a_sample_ends_with_what_it_belongs_to() -> None:
    """After a commit or a clear the next audio begins with a whole sample."""
    wire = Wire()
    wire.update(audio={"input": {**TRANSCRIBED, "turn_detection": None}})
    wire.hear(silence(100) + b"\1")
    wire.send("input_audio_buffer.commit")
    wire.finish()
    wire.hear(said("hello there"))

    events = wire.send("input_audio_buffer.commit") + wire.finish()

    assert of(events, f"{KIND}.completed")["transcript"] == "hello there"


def test_the_id_of_a_turn_that_is_being_heard_is_taken() -> None:
    """Nobody can put an item in its place before it is committed."""
    wire = Wire()
    started = of(wire.hear(silence(100) + said("hello there")), "input_audio_buffer.speech_started")
    item = {
        "type": "message",
        "role": "user",
        "id": started["item_id"],
        "content": [{"type": "input_text", "text": "x"}],
    }

    assert wire.refusal("conversation.item.create", item=item)["code"] == "item_create_duplicate_item_id"
    assert answer(wire.hear(silence(600)) + wire.finish()) == "You said: hello there"


def test_a_turn_that_is_being_heard_keeps_its_id_without_turn_detection() -> None:
    """The client was told of it, and commits it now by hand."""
    wire = Wire()
    started = of(wire.hear(silence(100) + said("hello there")), "input_audio_buffer.speech_started")
    wire.update(audio={"input": {"turn_detection": None}})

    committed = of(wire.send("input_audio_buffer.commit"), "input_audio_buffer.committed")

    assert committed["item_id"] == started["item_id"]


def test_whoever_cancels_gets_no_other_answer() -> None:
    """A turn that waited for the end of the response waits no longer."""
    wire = Wire()
    wire.update(audio=setting(interrupt_response=False))
    first = of(wire.hear(turn("one two three")), "response.created")
    wire.hear(turn("four five six"))

    events = wire.send("response.cancel") + wire.finish()

    assert of(events, "response.done")["response"]["id"] == first["response"]["id"]
    assert "response.created" not in types(events)


def test_another_format_does_not_stop_the_idle_time() -> None:
    """Silence counts on from the end of the last response."""
    wire = Wire()
    wire.update(audio=setting(idle_timeout_ms=5000))
    wire.hear(turn("hello there"))
    wire.finish()
    wire.update(audio={"input": {"format": {"type": "audio/pcmu"}}})

    events = wire.hear(silence(9000, FORMATS["audio/pcmu"]))

    assert of(events, "input_audio_buffer.timeout_triggered")


def test_no_event_names_an_item_that_is_gone() -> None:
    """Its transcription comes too late."""
    wire = Wire()
    wire.update(audio={"input": {**TRANSCRIBED, "turn_detection": None}})
    wire.hear(said("hello there"))
    wire.does_jobs = False
    item_id = of(wire.send("input_audio_buffer.commit"), "input_audio_buffer.committed")["item_id"]
    wire.does_jobs = True

    events = wire.send("conversation.item.delete", item_id=item_id) + wire.finish()

    assert types(events) == ["conversation.item.deleted"]
