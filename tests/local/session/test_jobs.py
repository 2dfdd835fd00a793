"""Slow work is done in threads: nobody waits for somebody else's, and order is kept."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve_stream
from runner.local.server.inprocess import memory_pipe
from runner.local.session.realtime_session import LocalRealtimeSession
from runner.local.speech.engines import Engines, engines_for
from runner.local.speech.interfaces import Frame, SpeechEngines
from runner.local.speech.loudness import LoudnessDetector
from runner.local.speech.replies import Call
from runner.local.speech.tones import SyntheticVoice, ToneTranscriber
from tests.helpers.local_client import (
    PATIENCE_S,
    Wire,
    dial,
    heard_until,
    in_thread,
    listening,
    said,
    settings,
    silence,
    told,
)

pytestmark = pytest.mark.anyio
KIND = "conversation.item.input_audio_transcription"


class SlowDetector(LoudnessDetector):
    """Takes its time."""

    def detect(self, pcm: bytes) -> list[Frame]:
        """Judge audio."""
        time.sleep(0.02)
        return super().detect(pcm)


class SlowTranscriber(ToneTranscriber):
    """Takes its time, and counts who asks at once."""

    def __init__(self, takes_s: float = 0.1) -> None:
        self.takes_s = takes_s
        self.most = 0
        self.calls = 0
        self._now = 0
        self._lock = threading.Lock()

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Write it down."""
        with self._lock:
            self._now += 1
            self.calls += 1
            self.most = max(self.most, self._now)
        time.sleep(self.takes_s)
        with self._lock:
            self._now -= 1
        return super().transcribe(pcm, rate)


class SlowVoice(SyntheticVoice):
    """Takes its time for each piece."""

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Say it."""
        for piece in super().speak(text, rate):
            time.sleep(0.05)
            yield piece


class HeldVoice(SyntheticVoice):
    """Makes the second piece once it is let go on.

    Attributes:
        go_on: To be set by the test.
        was_let_go_on: Whether it was, instead of waiting in vain.
    """

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.was_let_go_on = False

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Say it."""
        pieces = super().speak(text, rate)
        yield next(pieces)
        self.was_let_go_on = self.go_on.wait(PATIENCE_S / 2)
        yield from pieces


class HeldTranscriber(ToneTranscriber):
    """Writes nothing down until it is let go on.

    Attributes:
        go_on: To be set by the test.
        has_begun: Whether it was asked.
        was_let_go_on: Whether it was, instead of waiting in vain.
    """

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.has_begun = False
        self.was_let_go_on = False

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Write it down."""
        self.has_begun = True
        self.was_let_go_on = self.go_on.wait(PATIENCE_S / 2)
        return super().transcribe(pcm, rate)


class Broken:
    """Fails at everything."""

    def detect(self, pcm: bytes) -> list[Frame]:
        """Judge audio."""
        raise RuntimeError(len(pcm))

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Write it down."""
        raise RuntimeError(len(pcm), rate)

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Say it."""
        yield text[:3], bytes(480)
        raise RuntimeError(text, rate)


SLOW = SpeechEngines(SlowDetector, SlowTranscriber(), SlowVoice(), is_slow=True, simulated=False)


def listening_with(**more: bool) -> dict[str, Any]:
    """The settings of a session that writes turns down."""
    heard = {"transcription": {"model": "m"}, "turn_detection": {"type": "server_vad", **more}}
    return {"type": "realtime", "audio": {"input": heard}}


def app_with(**parts: Any) -> LocalApp:
    """An endpoint with such parts."""
    return LocalApp(settings(), Engines(engines_for(settings()).replies, replace(SLOW, **parts)))


def session_with(script: Any = (), *, has_model: bool = False, **parts: Any) -> LocalRealtimeSession:
    """A session with such parts."""
    brain = {"kind": "chat", "base_url": "http://127.0.0.1:1/v1", "model": "small"} if has_model else {"kind": "rules"}
    base = engines_for(settings(script=list(script), brain=brain))
    engines = replace(base, speech=replace(base.speech, **parts))
    return LocalRealtimeSession(engines, kind="realtime", model="m", expires_at=4102444800)


def only(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events of a kind."""
    return [event for event in events if event["type"] == kind]


def speak_up(socket: Any, *texts: str) -> None:
    """Send turns in pieces of 40 ms, as fast as the socket takes them."""
    for text in texts:
        audio = silence(200) + said(text) + silence(600)
        for at in range(0, len(audio), 1920):
            told(socket, "input_audio_buffer.append", audio=base64.b64encode(audio[at : at + 1920]).decode())


def conversation(port: int, *texts: str) -> list[dict[str, Any]]:
    """Say things, without interrupting, and hear all answers; the events."""
    with dial(port) as socket:
        heard_until(socket, "session.created")
        told(socket, "session.update", session=listening_with(interrupt_response=False))
        events = []
        for text in texts:
            speak_up(socket, text)
            events += heard_until(socket, "response.done")
        return events


async def test_a_slow_endpoint_hears_and_answers_alike() -> None:
    """Turns found, written down and answered in threads come in the order in which they were spoken."""
    async with listening(app_with()) as port:
        events = await in_thread(lambda: conversation(port, "First", "Second turn"))

    assert [each["transcript"] for each in only(events, f"{KIND}.completed")] == ["First", "Second turn"]
    answers = [each["response"]["output"][0]["content"][0] for each in only(events, "response.done")]
    assert [each["transcript"] for each in answers] == ["You said: First", "You said: Second turn"]
    assert only(events, "input_audio_buffer.speech_started")[0]["audio_start_ms"] == 0


async def test_a_backlog_of_audio_is_worked_off_in_order() -> None:
    """A client that sends faster than the detector hears is slowed down, and loses nothing."""
    texts = [f"Turn number {number}" for number in range(8)]
    async with listening(app_with(transcriber=SlowTranscriber(0))) as port:

        def script() -> list[str]:
            with dial(port) as socket:
                heard_until(socket, "session.created")
                told(socket, "session.update", session=listening_with(create_response=False))
                speak_up(socket, *texts)
                events = [each for _ in texts for each in heard_until(socket, f"{KIND}.completed")]
                return [each["transcript"] for each in only(events, f"{KIND}.completed")]

        assert await in_thread(script) == texts


async def test_the_loop_never_waits_for_slow_work() -> None:
    """While a turn is written down, everything else goes on, such as the task that lets the transcriber go on."""
    transcriber = HeldTranscriber()

    async def let_go_on() -> None:
        while not transcriber.has_begun:  # noqa: ASYNC110  # a thread sets it
            await anyio.sleep(0.005)
        transcriber.go_on.set()

    async with listening(app_with(transcriber=transcriber)) as port, anyio.create_task_group() as tasks:
        tasks.start_soon(let_go_on)
        await in_thread(lambda: conversation(port, "Hello"))

    assert transcriber.was_let_go_on


async def test_a_slow_voice_is_heard_while_it_speaks() -> None:
    """Its first piece is sent before its second one is made, whatever the pace of the simulated voice."""
    voice = HeldVoice()
    async with listening(app_with(voice=voice)) as port:

        def script() -> None:
            with dial(port) as socket:
                told(socket, "response.create", response={"input": []})
                heard_until(socket, "response.output_audio.delta")
                voice.go_on.set()
                heard_until(socket, "response.done")

        await in_thread(script)

    assert voice.was_let_go_on


async def test_the_transcriber_is_asked_one_at_a_time() -> None:
    """It may be bound to one thread at a time, however many sessions there are."""
    transcriber = SlowTranscriber(0.05)
    async with listening(app_with(transcriber=transcriber)) as port, anyio.create_task_group() as tasks:
        for text in ("One", "Two", "Three"):
            tasks.start_soon(in_thread, lambda text=text: conversation(port, text))

    assert (transcriber.calls, transcriber.most) == (3, 1)


async def test_who_leaves_is_not_worked_for() -> None:
    """A connection that closes ends at once, though a thread is still busy for it."""
    transcriber = HeldTranscriber()
    app = app_with(transcriber=transcriber)
    near, far = memory_pipe()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_stream, app, far)
        upgrade = "GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        await near.send((upgrade + key).encode())
        commit = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(said("Hello")).decode()})
        for text in (commit, '{"type": "input_audio_buffer.commit"}'):
            size = len(text)
            head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
            await near.send(head + bytes(4) + text.encode())
        seen = b""
        while b"conversation.item.done" not in seen:
            seen += await near.receive()
        leaving_s = time.monotonic()
        await near.aclose()

    assert time.monotonic() - leaving_s < PATIENCE_S / 3
    transcriber.go_on.set()


def test_a_broken_transcriber_is_reported() -> None:
    """The transcription fails, the turn is answered by its length, and the session goes on."""
    wire = Wire(session_with(transcriber=Broken()))
    wire.send("session.update", session=listening_with())

    events = wire.hear(said("Hello") + silence(600)) + wire.finish()

    (failed,) = only(events, f"{KIND}.failed")
    assert failed["error"]["code"] == "transcription_failed"
    assert "RuntimeError" in failed["error"]["message"]
    assert only(events, "response.done")[0]["response"]["status"] == "completed"


def test_a_broken_voice_fails_the_response() -> None:
    """What was said stands, and the response says why it ends."""
    wire = Wire(session_with(voice=Broken(), is_slow=True))

    events = wire.send("response.create")

    response = only(events, "response.done")[0]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "voice_failed"
    assert response["output"][0]["content"][0]["transcript"] == "Hel"


def test_a_broken_detector_does_not_end_the_session() -> None:
    """What it cannot judge counts as silence, and it is asked again."""
    wire = Wire(session_with(new_detector=lambda _rate: Broken(), is_slow=True))

    assert wire.hear(said("Hello")) == wire.hear(said("Hello")) == []
    assert wire.send("input_audio_buffer.commit")[0]["type"] == "input_audio_buffer.committed"


def test_what_waits_is_bounded() -> None:
    """Whoever sends more than can be worked off is told to wait, until the work is done or not needed any more."""
    wire = Wire(session_with(is_slow=True))
    wire.does_jobs = False
    seen = []
    for _ in range(2):
        wire.hear(silence(6000))
        seen.append(wire.session.is_behind)
    wire.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    seen.append(wire.session.is_behind)
    for _ in range(9):
        wire.hear(silence(100))
        wire.send("input_audio_buffer.commit")
    seen.append(wire.session.is_behind)
    wire.work()

    assert [*seen, wire.session.is_behind] == [False, True, False, True, False]


def test_a_language_model_answers_what_the_script_does_not() -> None:
    """It is told the instructions and the conversation, spoken words included."""
    wire = Wire(session_with([{"match": "scripted", "reply": "By heart."}], has_model=True))
    wire.model = lambda _request: ["From ", "the model."]
    wire.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
    wire.say("A scripted one")
    wire.send("response.create")
    first = wire.finish()
    second = wire.hear(said("What else?") + silence(600)) + wire.finish()

    said_by = [only(each, "response.done")[0]["response"]["output"][0]["content"][0] for each in (first, second)]
    assert [each["transcript"] for each in said_by] == ["By heart.", "From the model."]
    (asked,) = wire.asked
    assert asked.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A scripted one"},
        {"role": "assistant", "content": "By heart."},
        {"role": "user", "content": "What else?"},
    ]


def test_a_slow_voice_speaks_sentence_by_sentence() -> None:
    """What the model writes while a sentence is being made is spoken after it, and nothing is spoken twice."""
    wire = Wire(session_with(has_model=True, is_slow=True))
    wire.model = lambda _request: ["One. ", "Two. ", "Three. Fo", "ur", Call("look", "{}")]

    events = wire.send("response.create") + wire.finish()

    (done,) = only(events, "response.done")
    spoken, call = done["response"]["output"]
    assert (spoken["content"][0]["transcript"], call["name"]) == ("One. Two. Three. Four", "look")
    audio = b"".join(base64.b64decode(each["delta"]) for each in only(events, "response.output_audio.delta"))
    assert ToneTranscriber().transcribe(audio, 24000) == "One. Two. Three. Four"


def test_a_language_model_that_fails_fails_the_response() -> None:
    """With the reason, and nothing said."""
    wire = Wire(session_with(has_model=True))
    wire.say("Hello")

    events = wire.send("response.create")

    response = only(events, "response.done")[0]["response"]
    assert response["status_details"]["error"]["code"] == "brain_failed"
