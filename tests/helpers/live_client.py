"""What the tests of Live sessions share: the official schema, and ways to talk to the local endpoint."""

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from runner.audio.format import AudioFormat
from runner.local.session.duplex_session import DuplexSession
from runner.local.session.fault_plan import FaultPlan
from runner.local.session.faulty_duplex_session import FaultyDuplexSession
from runner.local.session.stored_sessions import StoredSession
from runner.local.speech.engines import engines_for
from runner.local.speech.interfaces import SpeechEngines
from runner.local.speech.tones import ToneTranscriber
from tests.helpers.local_client import AnyWire, settings

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "live.schema.json"
MODEL = "gpt-live-1.1"
APPEND = "session.input_audio.append"
LIVE_PCM = AudioFormat("audio/pcm", 24_000, 2)
_SLICE_MS = 100


@cache
def live_schema(union: str) -> Callable[[Any], None]:
    """Judges an event by the official schema, where that is beside the checkout."""
    if not SCHEMA_FILE.exists():
        return lambda _event: None
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    named = {}
    for each in definitions[union]["anyOf"]:
        definition = definitions[each["$ref"].split("/")[-1]]
        named[definition["properties"]["type"]["const"]] = (
            Draft202012Validator({"$defs": definitions, **each}),
            set(definition["properties"]),
        )

    def judge(event: Any) -> None:
        validator, fields = named[event["type"]]
        validator.validate(event)
        assert set(event) <= fields, event

    return judge


def live_checked(event: dict[str, Any]) -> dict[str, Any]:
    """The event of a server, once the official schema accepts it."""
    live_schema("LiveServerEvent")(event)
    return event


def words(events: Iterable[dict[str, Any]], side: str = "output") -> str:
    """What the fragments of a transcript say."""
    return "".join(each["delta"] for each in events if each["type"] == f"session.{side}_transcript.delta")


def sound(events: Iterable[dict[str, Any]]) -> bytes:
    """All audio of a server, silence included."""
    deltas = (each["delta"] for each in events if each["type"] == "session.output_audio.delta")
    return b"".join(map(base64.b64decode, deltas))


def heard_words(events: Iterable[dict[str, Any]], audio_format: AudioFormat = LIVE_PCM) -> str:
    """What the audio of a server says, in the synthetic voice."""
    return ToneTranscriber().transcribe(audio_format.decode(sound(events)), audio_format.rate)


def types(events: Iterable[dict[str, Any]]) -> list[str]:
    """The types of events, without the steady flow of audio and transcripts."""
    return [each["type"] for each in events if not each["type"].endswith(".delta")]


class LiveWire(AnyWire[DuplexSession]):
    """A Live session without I/O, whose events are checked and whose clock stands still until it is set.

    Args:
        endpoint: The settings of the endpoint, such as its script.
        session: The session that `session.start` asks for; None to start none.
        forked: The stored session that it forks.
        speech: What it hears and speaks with, if not with the synthetic voice.
    """

    def __init__(
        self,
        session: dict[str, Any] | None = None,
        *,
        forked: StoredSession | None = None,
        speech: SpeechEngines | None = None,
        **endpoint: Any,
    ) -> None:
        self.now_s = 100.0
        engines = engines_for(settings(**endpoint))
        engines = replace(engines, speech=speech) if speech else engines
        faults = FaultPlan(settings(**endpoint).faults).next_connection()
        live = FaultyDuplexSession(engines, faults, expires_at=4102444800, clock=lambda: self.now_s, forked=forked)
        super().__init__(live, live_checked)
        if session is not None:
            (self.started,) = self.send("session.start", session={"model": MODEL, **session})

    def listen(self, audio: bytes, audio_format: AudioFormat = LIVE_PCM) -> list[dict[str, Any]]:
        """Send audio as a microphone does, in pieces of 100 ms."""
        size = audio_format.size_bytes(_SLICE_MS)
        return [each for at in range(0, len(audio), size) for each in self.hear(audio[at : at + size], APPEND)]
