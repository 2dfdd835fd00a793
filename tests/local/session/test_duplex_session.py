"""A Live session hears and speaks at the same time, and its time is that of the audio that it hears."""

import base64
import json
from typing import Any

import pytest

from runner.audio.format import PCMA, PCMU, AudioFormat
from runner.local.speech.tones import SyntheticVoice
from tests.helpers.live_client import APPEND, LiveWire, heard_words, sound, types, words
from tests.helpers.local_client import error_of, said, silence

QUESTION = "What time is it?"
ANSWER = f"You said: {QUESTION}"


def test_a_question_is_written_down_and_answered() -> None:
    """The answer is heard word for word, each fragment of both transcripts has its place, and all of it is one text."""
    wire = LiveWire({})
    first = wire.listen(silence(400) + said(QUESTION) + silence(2000))
    second = wire.listen(said("And now?") + silence(2000))

    assert words(first, "input") == QUESTION
    assert words(first) == heard_words(first) == ANSWER
    assert words(second, "input") == " And now?"
    assert words(second) == " You said: And now?"
    fragments = [each for each in first + second if "start_ms" in each]
    inputs = [each for each in fragments if each["type"] == "session.input_transcript.delta"]
    outputs = [each for each in fragments if each["type"] == "session.output_transcript.delta"]
    for side in (inputs, outputs):
        places = [place for each in side for place in (each["start_ms"], each["end_ms"])]
        assert places == sorted(places)
    assert 0 <= inputs[0]["start_ms"] < 400 + 24 * len(QUESTION) < outputs[0]["start_ms"]


def test_audio_flows_out_as_it_flows_in() -> None:
    """As much comes as was sent, silence where nothing is said, and nothing at all while nothing is sent."""
    wire = LiveWire({})
    (commented,) = wire.send("session.commentary.append", content="Hello!", delegation_id=None, event_id="c")

    assert commented["type"] == "session.commentary.appended"
    assert commented["client_event_id"] == "c"
    events = wire.listen(silence(1000))
    assert (words(events), heard_words(events)) == ("Hello!", "Hello!")
    assert len(sound(events)) == len(silence(1000))
    assert sound(wire.listen(silence(300))) == silence(300)
    halves = [wire.hear(bytes(size), APPEND) for size in (3, 3, 2)]
    assert [len(sound(each)) for each in halves] == [2, 4, 2]


def test_the_model_stops_when_it_is_spoken_over() -> None:
    """It says no more of that answer; what was to be said besides is said, and the new question is answered."""
    wire = LiveWire({}, script=[{"match": "story", "reply": "Once upon a time there was a very small frog."}])
    story = wire.listen(said("Tell me a story") + silence(600))
    wire.send("session.commentary.append", content="By the way.", delegation_id=None)
    over = wire.listen(silence(500) + said("Stop!"))
    rest = wire.listen(silence(2500))

    assert "Once upon a time there was".startswith(words(story + over))
    assert words(rest, "input") == " Stop!"
    assert words(rest) == " By the way. You said: Stop!"


@pytest.mark.parametrize("audio_format", [AudioFormat("audio/pcm", 16_000, 2), PCMA], ids=["16 kHz", "A-law"])
def test_both_directions_have_the_session_s_format(audio_format: AudioFormat) -> None:
    """What was asked for at the start holds for what is heard and for what is said."""
    shape = {"type": audio_format.encoding, "rate": audio_format.rate}
    wire = LiveWire({"audio": {"format": shape, "output": {"voice": "willow"}}})
    spoken = b"".join(pcm for _, pcm in SyntheticVoice().speak(QUESTION, audio_format.rate))
    quiet = audio_format.silence(audio_format.size_bytes(2000))
    events = wire.listen(audio_format.encode(spoken) + quiet, audio_format)

    assert wire.started["session"]["audio"] == {"format": shape, "output": {"voice": "willow"}}
    assert words(events, "input") == QUESTION
    assert heard_words(events, audio_format) == ANSWER


def test_a_muted_session_hears_silence() -> None:
    """What is said meanwhile is not heard, and its time goes on."""
    wire = LiveWire({})
    assert types(wire.send("session.input_audio.mute")) == ["session.input_audio.muted"]
    muted = wire.listen(said(QUESTION) + silence(1000))
    assert types(wire.send("session.input_audio.unmute", event_id="u")) == ["session.input_audio.unmuted"]
    heard = wire.listen(said("And now?") + silence(1000))

    assert words(muted, "input") + words(muted) == ""
    assert words(heard, "input") == "And now?"


def test_what_the_model_is_told_silently_is_not_said() -> None:
    """Thoughts and instructions are acknowledged, and the script may answer an instruction."""
    wire = LiveWire({}, script=[{"instructions": "greet", "reply": "Good morning."}])
    thought = wire.send("session.thinking.append", content="Half of it is done.", delegation_id=None)
    told = wire.send("session.instructions.append", content="Be brief.", delegation_id=None)
    assert types(thought + told) == ["session.thinking.appended", "session.instructions.appended"]
    assert words(wire.listen(silence(1000))) == ""

    wire.send("session.instructions.append", content="Greet the caller.", delegation_id=None)
    assert words(wire.listen(silence(1000))) == "Good morning."


def test_what_is_not_understood_is_not_written_down() -> None:
    """Noise has no transcript; the model says how much of it there was."""
    events = LiveWire({}).listen(b"\x00\x10\x00\xf0" * 12_000 + silence(2000))
    assert words(events, "input") == ""
    assert words(events).startswith("I heard ")


def test_close_writes_down_what_was_said_last() -> None:
    """A turn that is not over is written down and not answered; then comes the end with the usage, and nothing else."""
    wire = LiveWire({})
    wire.listen(silence(200) + said("Goodbye."))
    wire.now_s += 44.6
    (usage,) = wire.session.tick()
    wire.does_jobs = False
    closing = wire.send("session.close", event_id="bye")
    stream = wire.hear(silence(100), APPEND)
    late = wire.refusal("session.commentary.append", content="Wait!", delegation_id=None)
    last = wire.work()

    assert closing == stream == []
    assert (usage["usage"], usage["context_window"]) == ({"seconds": 45}, {"usage_ratio": 0.0})
    assert late["code"] == "session_closing"
    assert words(last, "input") == "Goodbye."
    closed = last[-1]
    assert (closed["type"], closed["reason"]) == ("session.closed", "close_requested")
    assert (closed["usage"], closed["client_event_id"]) == ({"seconds": 45}, "bye")
    assert closed["session"] == wire.started["session"]
    assert wire.session.is_over
    assert wire.session.tick() == []


def test_a_session_ends_when_its_time_is_over() -> None:
    """Before it has started, there is no session that could be closed."""
    (event,) = LiveWire({}).session.expire("It is over.")
    assert (event["type"], event["reason"]) == ("session.closed", "expired")
    assert error_of(LiveWire().session.expire("It is over."))["code"] == "session_expired"


def test_the_session_is_shown_whole() -> None:
    """With what the server adds; of a running session the delegation can be changed, but not its type."""
    backend = {"model": "gpt-5.2", "instructions": "Look it up.", "tools": [{"type": "web_search"}]}
    given = {
        "instructions": "Be brief.",
        "delegation": {"type": "responses", "responses": backend},
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
        "store": True,
        "safety_identifier": "5f2b",
    }
    wire = LiveWire(given)
    shown = wire.started["session"]

    assert shown.items() >= {**given, "delegation": shown["delegation"], "status": "active"}.items()
    assert shown["id"].startswith("live_")
    assert shown["delegation"] == {"type": "responses", "responses": backend, "acknowledgement_delay_ms": 0}
    change = {"type": "responses", "responses": {"tools": []}}
    (updated,) = wire.send("session.update", session={"delegation": change})
    assert updated["session"]["delegation"]["responses"] == {**backend, "tools": []}
    assert wire.refusal("session.update", session={"delegation": {"type": "client"}})["code"] == "invalid_value"
    assert wire.refusal("session.update", session={"instructions": "Be long."})["code"] == "unknown_parameter"
    assert LiveWire({}).started["session"]["delegation"] == {"type": "client", "acknowledgement_delay_ms": 0}


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "session.update", "session": {}}, "session_not_started", "type"),
        ({"type": APPEND, "audio": "AAAA"}, "session_not_started", "type"),
        ({"type": "session.start", "session": {}}, "missing_required_parameter", "session.model"),
        ({"type": "session.start", "session": {"model": "m", "type": "live"}}, "unknown_parameter", "session.type"),
        ({"type": "session.start", "session": {"model": "m", "voice": "marin"}}, "unknown_parameter", "session.voice"),
        (
            {"type": "session.start", "session": {"model": "m", "instructions": "long " * 20_000}},
            "token_limit_exceeded",
            "session.instructions",
        ),
    ],
)
def test_a_wrong_start_is_refused(event: dict[str, Any], code: str, param: str) -> None:
    """By an error that names the field and the event, and the session can still be started."""
    wire = LiveWire()
    error = error_of(wire.raw(json.dumps({**event, "event_id": "e1"})))

    assert (error["code"], error["param"], error["client_event_id"]) == (code, param, "e1")
    assert types(wire.send("session.start", session={"model": "m"})) == ["session.started"]
    assert wire.refusal("session.start", session={"model": "m"})["code"] == "session_already_started"


def test_an_event_that_there_is_not_is_answered_by_those_that_there_are() -> None:
    """The error lists the client events of a Live session."""
    message = LiveWire({}).refusal("input_audio_buffer.append", audio="AAAA")["message"]
    assert "'session.input_audio.append'" in message
    assert "'session.close'" in message


def test_a_recording_is_played_word_for_word() -> None:
    """What is being said ends, nothing is heard or told meanwhile, and it needs no audio of the client to go on."""
    wire = LiveWire({"audio": {"format": {"type": "audio/pcmu", "rate": 8000}}})
    wire.send("session.commentary.append", content="This is cut.", delegation_id=None)
    cut = wire.hear(PCMU.silence(800), APPEND)
    audio = base64.b64encode(said("Welcome!")).decode()
    begun = wire.send("session.output_audio.fixture.play", audio=audio, event_id="f")
    ignored = wire.hear(said("Hello?", PCMU), APPEND)
    busy = wire.refusal("session.commentary.append", content="Hm.", delegation_id=None)
    played = wire.finish()

    assert words(cut) == "This is"
    assert [each["type"] for each in begun] == ["session.output_audio.fixture.playing"]
    assert (ignored, busy["code"]) == ([], "fixture_active")
    assert types(played) == ["session.output_audio.fixture.played"]
    assert played[-1]["client_event_id"] == "f"
    assert heard_words(played, PCMU) == "Welcome!"
    assert words(wire.listen(said("And now?", PCMU) + PCMU.silence(8000), PCMU)) == " You said: And now?"
    for wrong in (b"", b"\0", silence(30_001)):
        wrong_audio = base64.b64encode(wrong).decode()
        assert wire.refusal("session.output_audio.fixture.play", audio=wrong_audio)["param"] == "audio"


def test_a_fork_goes_on_with_what_was_said() -> None:
    """It has the stored session's settings, but for what its own start changes, and a model that knows the past."""
    chat = {"kind": "chat", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    backend = {"model": "gpt-5.2", "tools": [{"type": "web_search"}]}
    first = LiveWire(
        {"instructions": "Be kind.", "store": True, "delegation": {"type": "responses", "responses": backend}},
        brain=chat,
    )
    first.model = lambda _: ["Hello ", "Ann."]
    first.listen(said("I am Ann.") + silence(1500))
    assert first.session.stored is not None
    fork = LiveWire(forked=first.session.stored, brain=chat)
    assert fork.refusal("session.start", session={"model": "m"})["code"] == "unknown_parameter"
    change = {"type": "responses", "responses": {"tools": []}}
    shape = {"type": "audio/pcm", "rate": 16000}
    (started,) = fork.send("session.start", session={"audio": {"format": shape}, "delegation": change, "store": False})
    fork.send("session.start", session={})
    fork.model = lambda _: ["You are Ann."]
    wide = AudioFormat("audio/pcm", 16_000, 2)
    fork.listen(said("Who am I?", wide) + silence(1500, wide), wide)

    shown, before = started["session"], first.started["session"]
    assert (shown["model"], shown["instructions"], shown["store"]) == (before["model"], "Be kind.", False)
    assert shown["id"] != before["id"]
    assert (shown["audio"]["format"], shown["delegation"]["responses"]["tools"]) == (shape, [])
    assert [each["content"] for each in fork.asked[0].messages] == ["Be kind.", "I am Ann.", "Hello Ann.", "Who am I?"]
    assert fork.session.stored is None
