"""What the tests of the local endpoint share: both references of the protocol, and ways to talk to it."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeServerEvent, RealtimeSessionCreateResponse
from openai.types.realtime.realtime_transcription_session_create_response import (
    RealtimeTranscriptionSessionCreateResponse,
)
from pydantic import BaseModel, TypeAdapter
from websockets.sync.client import ClientConnection, connect

from runner.audio.format import PCM, AudioFormat
from runner.local.server.app import LocalApp
from runner.local.server.asgi import Asgi
from runner.local.server.http_server import serve
from runner.local.session.jobs import Job, ModelJob
from runner.local.session.local_session import LocalSession
from runner.local.session.realtime_session import LocalRealtimeSession
from runner.local.speech.engines import engines_for
from runner.local.speech.language_model import ModelRequest, NoAnswer
from runner.local.speech.replies import Call
from runner.local.speech.tones import SyntheticVoice
from runner.protocol.effects import TurnEnded
from runner.session.session import Session
from runner.settings.endpoint import LocalEndpoint

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
PATIENCE_S = 150
"""Longer than any answer takes on a busy machine."""
T = TypeVar("T")


@cache
def _schemas() -> dict[str, Draft202012Validator]:
    if not SCHEMA_FILE.exists():
        return {}
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    return {
        f"{dialect}{definitions[name]['properties']['type']['enum'][0]}": Draft202012Validator(
            {"$defs": definitions, "$ref": f"#/$defs/{name}"}
        )
        for prefix, dialect in (("RealtimeServerEvent", ""), ("RealtimeTranslationServerEvent", "translation:"))
        for name in definitions
        if name.startswith(prefix) and name != prefix
    }


@cache
def _models() -> TypeAdapter[Any]:
    return TypeAdapter(RealtimeServerEvent)


def _unknown_fields(value: object, at: str = "") -> list[str]:
    if isinstance(value, list):
        return [name for index, each in enumerate(value) for name in _unknown_fields(each, f"{at}[{index}]")]
    if not isinstance(value, BaseModel):
        return []
    extra = [f"{at}.{name}" for name in value.model_extra or {}]
    fields = {name: getattr(value, name) for name in type(value).model_fields}
    return extra + [name for field, each in fields.items() for name in _unknown_fields(each, f"{at}.{field}")]


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """The event, once openai-python's types and (where it is there) the official schema accept it."""
    model = _models().validate_python(event)
    if event["type"] in {"session.created", "session.updated"}:
        # openai-python types the session of these events by what a client may ask for, which has no id.
        session = event["session"]
        shape = (
            RealtimeSessionCreateResponse
            if session["type"] == "realtime"
            else RealtimeTranscriptionSessionCreateResponse
        )
        assert not _unknown_fields(shape.model_validate(session)), event
    else:
        assert not _unknown_fields(model), (event, _unknown_fields(model))
    assert model.model_dump(mode="json", exclude_unset=True, by_alias=True) == event
    if _schemas():
        _schemas()[event["type"]].validate(_with_known_words(event))
    return event


def _with_known_words(event: dict[str, Any]) -> dict[str, Any]:
    """The event without the `"transcript": null` of heard audio, which endpoints send though the schema has none."""
    item = event.get("item") or {}
    content = [
        {key: value for key, value in part.items() if key != "transcript" or value is not None}
        for part in item.get("content") or []
    ]
    return {**event, "item": {**item, "content": content}} if content else event


def translated(event: dict[str, Any]) -> dict[str, Any]:
    """The event of a translation session, once the official schema accepts it, where it is there."""
    if _schemas():
        name = event["type"]
        _schemas()[name if name == "error" else f"translation:{name}"].validate(event)
    return event


S = TypeVar("S", bound=LocalSession)


class AnyWire(Generic[S]):
    """A session without I/O, whose events are checked; slow work is done at once, pieces of answers when asked for."""

    def __init__(self, session: S, check: Callable[[dict[str, Any]], dict[str, Any]] = checked) -> None:
        self.session = session
        self.events: list[dict[str, Any]] = []
        self.does_jobs = True
        self.model: Callable[[ModelRequest], list[str | Call]] | None = None
        """What the language model writes; it fails where there is none."""
        self.asked: list[ModelRequest] = []
        """What the language model was asked."""
        self._check = check
        self._keep(self.session.open())

    def _keep(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        copies = [self._check(json.loads(json.dumps(event))) for event in events]
        self.events += copies
        return copies + (self.work() if self.does_jobs else [])

    def work(self) -> list[dict[str, Any]]:
        """Do the slow work that has come up."""
        return [each for job in self.session.take_jobs() for each in self._done(job)]

    def _done(self, job: Job | ModelJob) -> list[dict[str, Any]]:
        if isinstance(job, Job):
            return self._keep(job.work()())
        self.asked.append(job.request)
        if self.model is None:
            return self._keep(job.fail(NoAnswer("nobody is there")))
        events = [each for part in self.model(job.request) for each in self._keep(job.take(part))]
        return [*events, *self._keep(job.end("stop"))]

    def raw(self, message: str | bytes) -> list[dict[str, Any]]:
        """Send a message as it is."""
        return self._keep(self.session.receive(message))

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """Send an event; responses in flight do not go on."""
        return self.raw(json.dumps({"type": kind, **fields}))

    def step(self) -> list[dict[str, Any]]:
        """One more piece of what is in flight."""
        return self._keep(self.session.advance())

    def finish(self) -> list[dict[str, Any]]:
        """Everything that is in flight."""
        events = []
        while self.session.can_advance:
            events += self.step()
        return events

    def refusal(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send an event that must be refused; returns the inner error."""
        return error_of(self.send(kind, **fields))

    def hear(self, audio: bytes, kind: str = "input_audio_buffer.append") -> list[dict[str, Any]]:
        """Send audio in the session's input format."""
        return self.send(kind, audio=base64.b64encode(audio).decode())


class Wire(AnyWire[LocalRealtimeSession]):
    """A conversation or a transcription."""

    def __init__(self, session: LocalRealtimeSession | None = None) -> None:
        super().__init__(session or new_session())

    def update(self, **session: Any) -> dict[str, Any]:
        """Update the session; returns the effective configuration."""
        event, *_ = self.send("session.update", session={"type": self.session.configuration.kind, **session})
        assert event["type"] == "session.updated", event
        return dict(event["session"])

    def say(self, text: str) -> str:
        """Add a user message; returns its id."""
        added, _done = self.send("conversation.item.create", item=user_message(text))
        return str(added["item"]["id"])


def error_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The inner error of the only event."""
    (event,) = events
    assert event["type"] == "error", event
    return dict(event["error"])


def user_message(text: str) -> dict[str, Any]:
    """A message of the user in text."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def settings(**fields: Any) -> LocalEndpoint:
    """The settings of a fast local endpoint."""
    return LocalEndpoint.model_validate({"kind": "local", "delta_interval_ms": 1, **fields})


def new_session(*, kind: Any = "realtime", script: Any = ()) -> LocalRealtimeSession:
    """A session without I/O."""
    engines = engines_for(settings(script=list(script)))
    return LocalRealtimeSession(engines, kind=kind, model="gpt-realtime-2", expires_at=4102444800)


def said(text: str, form: AudioFormat = PCM) -> bytes:
    """A text in the synthetic voice."""
    return form.encode(b"".join(sound for _, sound in SyntheticVoice().speak(text, form.rate)))


def silence(ms: float, form: AudioFormat = PCM) -> bytes:
    """Silence."""
    return form.silence(form.size_bytes(ms))


async def asked_by_voice(session: Session, question: str) -> str:
    """Ask a question in the synthetic voice; returns what the answer says, by its transcript."""
    effects = session.effects()
    await session.append_audio(said(question) + silence(700))
    async for effect in effects:
        if isinstance(effect, TurnEnded) and effect.role == "assistant":
            return effect.text
    return ""


@asynccontextmanager
async def listening(app: Asgi | None = None) -> AsyncIterator[int]:
    """The port on which rt-run's own server serves an application."""
    async with anyio.create_task_group() as tasks:
        yield await tasks.start(serve, app or LocalApp(settings()), "127.0.0.1", 0)
        tasks.cancel_scope.cancel()


async def in_thread(work: Callable[[], T]) -> T:
    """Run a blocking client beside the server, on either event loop."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def dial(port: int, target: str = "/v1/realtime?model=gpt-realtime-2", **options: Any) -> ClientConnection:
    """A WebSocket of the `websockets` package."""
    socket: ClientConnection = connect(
        f"ws://127.0.0.1:{port}{target}", proxy=None, open_timeout=PATIENCE_S, close_timeout=5, **options
    )
    return socket


def heard(socket: ClientConnection) -> dict[str, Any]:
    """The next event, checked."""
    return checked(json.loads(socket.recv(timeout=PATIENCE_S)))


def heard_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """The events up to the first of a kind, checked."""
    events = [heard(socket)]
    while events[-1]["type"] != kind:
        events.append(heard(socket))
    return events


def told(socket: ClientConnection, kind: str, **fields: Any) -> None:
    """Send an event."""
    socket.send(json.dumps({"type": kind, **fields}))
