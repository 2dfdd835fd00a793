"""A translation session repeats what it understands, and says that this is no translation."""

import base64
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runner.audio.format import PCM
from runner.local.session.translating_session import TranslatingSession
from runner.local.speech.engines import engines_for
from runner.local.speech.tones import ToneTranscriber
from tests.helpers.local_client import (
    PATIENCE_S,
    AnyWire,
    dial,
    in_thread,
    listening,
    said,
    settings,
    silence,
    told,
    translated,
)

pytestmark = pytest.mark.anyio
APPEND = "session.input_audio_buffer.append"
TARGET = "/v1/realtime/translations?model=gpt-realtime-translate"


def new_wire() -> AnyWire[TranslatingSession]:
    """A session without I/O."""
    session = TranslatingSession(engines_for(settings()), model="gpt-realtime-translate", expires_at=4102444800)
    return AnyWire(session, translated)


def text(events: list[dict[str, Any]], what: str) -> str:
    """All deltas of a kind."""
    return "".join(each["delta"] for each in events if each["type"] == f"session.{what}.delta")


def audio(events: list[dict[str, Any]]) -> bytes:
    """All audio."""
    deltas = (each["delta"] for each in events if each["type"] == "session.output_audio.delta")
    return b"".join(map(base64.b64decode, deltas))


def test_the_session_is_shown_whole() -> None:
    """As the API shows it; updates merge, carry no type, and null turns off."""
    wire = new_wire()
    session = wire.events[0]["session"]
    assert (session["type"], session["model"]) == ("translation", "gpt-realtime-translate")
    assert session["audio"]["output"] == {"language": "en"}

    def updated(**audio: Any) -> Any:
        (event,) = wire.send("session.update", session={"audio": audio})
        return event["session"]["audio"]

    heard = {"transcription": {"model": "gpt-realtime-whisper"}}
    assert updated(output={"language": "es"})["output"] == {"language": "es"}
    assert updated(input=heard) == {"input": {**heard, "noise_reduction": None}, "output": {"language": "es"}}
    assert updated(input={"transcription": None})["input"]["transcription"] is None
    typed = wire.refusal("session.update", session={"type": "translation"}, event_id="e1")
    assert (typed["param"], typed["event_id"]) == ("session.type", "e1")


@pytest.mark.parametrize("is_written", [True, False])
def test_each_turn_comes_back(is_written: bool) -> None:
    """In text and in sound, with the language in front; what was said only where it was asked for."""
    wire = new_wire()
    heard = {"transcription": {"model": "gpt-realtime-whisper"}} if is_written else {}
    wire.send("session.update", session={"audio": {"input": heard, "output": {"language": "es"}}})

    events = []
    for words in ("Good morning", "Good night"):
        events += wire.hear(silence(400) + said(words) + silence(600), APPEND) + wire.finish()

    assert text(events, "input_transcript") == ("Good morning Good night" if is_written else "")
    assert text(events, "output_transcript") == "[es] Good morning [es] Good night"
    assert ToneTranscriber().transcribe(audio(events), PCM.rate) == "[es] Good morning [es] Good night"
    shape = [each for each in events if each["type"] == "session.output_audio.delta"]
    assert {(each["sample_rate"], each["channels"], each["format"]) for each in shape} == {(24_000, 1, "pcm16")}
    assert list(dict.fromkeys(each["elapsed_ms"] for each in events)) == [1200, 2440]


def test_what_is_not_understood_is_not_translated() -> None:
    """Noise brings nothing about."""
    wire = new_wire()

    assert wire.hear(b"\x00\x10\x00\xf0" * 12_000 + silence(600), APPEND) == []
    assert wire.send("session.close")[0]["type"] == "session.closed"


def test_close_says_what_is_under_way() -> None:
    """A turn that was not over yet is translated before `session.closed`, and nothing is taken any more."""
    wire = new_wire()
    first = wire.hear(said("One") + silence(600) + said("Two"), APPEND)

    closing = wire.send("session.close")
    late = wire.refusal(APPEND, audio="AAAA")
    rest = wire.finish()

    assert "session.closed" not in [each["type"] for each in first + closing]
    assert text(rest, "output_transcript") == "[en] One [en] Two"
    assert late["code"] == "session_closing"
    assert rest[-1]["type"] == "session.closed"
    assert wire.session.is_over


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_value"),
        ({"type": "response.create"}, "invalid_value"),
        ({"type": APPEND, "audio": "no base64!"}, "invalid_value"),
        ({"type": APPEND}, "missing_required_parameter"),
        ({"type": "session.update", "session": {"audio": {"output": {"voice": "cedar"}}}}, "unknown_parameter"),
        (
            {"type": "session.update", "session": {"audio": {"input": {"transcription": {}}}}},
            "missing_required_parameter",
        ),
    ],
)
def test_wrong_events_are_refused(event: dict[str, Any], code: str) -> None:
    """Each by one error, and the session goes on."""
    wire = new_wire()

    assert wire.refusal(**event, kind=event.pop("type"))["code"] == code
    assert wire.send("session.close")[0]["type"] == "session.closed"


async def test_it_has_an_address_of_its_own_and_closes_itself() -> None:
    """Over the wire: what is under way is said, then `session.closed`, then close 1000."""
    async with listening() as port:

        def script() -> tuple[list[dict[str, Any]], int]:
            events: list[dict[str, Any]] = []
            with dial(port, TARGET) as socket:
                for each in (silence(200), said("Hello there"), silence(100)):
                    told(socket, APPEND, audio=base64.b64encode(each).decode())
                told(socket, "session.close")
                while not events or events[-1]["type"] != "session.closed":
                    events.append(translated(json.loads(socket.recv(timeout=PATIENCE_S))))
                with pytest.raises(ConnectionClosed) as caught:
                    socket.recv(timeout=PATIENCE_S)
            assert caught.value.rcvd
            return events, caught.value.rcvd.code

        events, code = await in_thread(script)

    assert events[0]["type"] == "session.created"
    assert text(events, "output_transcript") == "[en] Hello there"
    assert (events[-1]["type"], code) == ("session.closed", 1000)


async def test_it_needs_a_model() -> None:
    """As the API does."""
    async with listening() as port:

        def script() -> int:
            with pytest.raises(InvalidStatus) as caught:
                dial(port, "/v1/realtime/translations")
            return caught.value.response.status_code

        assert await in_thread(script) == 400
