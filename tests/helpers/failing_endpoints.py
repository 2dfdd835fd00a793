"""Endpoints that answer each question with their own name, and fail as a test says; and a session that they carry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from websockets.http11 import Request, Response

from runner.profile.session_source import Fallback, SessionProfile
from runner.protocol.effects import TurnEnded
from runner.session.opening import kept_session
from runner.session.session import Session
from runner.session.state_place import StatePlace
from runner.session.update import Update
from runner.settings.profile import ModelSettings, Profile
from tests.helpers import live_peer
from tests.helpers.endpoint_scripts import confirm, persistent, reached
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, refusal, serving

COOLDOWN_S = 30.0
AFTER_S = 5.0
LIVE_S = 2.0
MESSAGE = {"type": "server_error", "code": "server_error", "message": "no"}


@dataclass
class Endpoint:
    """A server that answers each question with its own name, and fails as a test says.

    Attributes:
        name: What it answers with.
        faults: How it fails, by the question at which it does.
        status: The HTTP status by which it refuses connections, 0 while it takes them.
        is_silent: Whether it takes connections and says nothing on them.
        model: What it runs.
        price: What a million tokens of its answers cost, or a minute of a Live session.
        session: What its profile says of its sessions, beside what the test says of all.
        failures: How many responses have failed.
        peers: Its connections so far.
    """

    name: str
    faults: dict[str, str] = field(default_factory=dict)
    status: int = 0
    is_silent: bool = False
    model: str = "test"
    price: float = 1.0
    session: dict[str, Any] = field(default_factory=dict)
    failures: int = 0
    peers: list[Peer] = field(default_factory=list)
    port: int = 0

    def profile(self, *, run: dict[str, Any], **tables: Any) -> Profile:
        """The profile of a session at this endpoint."""
        run = {**run, "limits": {"prices": {"output_text": self.price, "live_minute": self.price}}}
        tables["session"] = {**tables.get("session", {}), **self.session}
        profile = persistent(self.port, **run, **tables)
        return profile.model_copy(update={"model": ModelSettings(name=self.model)})

    def door(self, _request: Request) -> Response | None:
        """Refuse a connection, or take it."""
        return refusal(self.status) if self.status else None

    async def serve(self, peer: Peer) -> None:
        """Greet, confirm everything, and answer or fail."""
        if self.is_silent:
            await peer.to_the_end()
            return
        await peer.greet()
        question = ""
        while (event := await peer.event()) is not None:
            if event["type"] == "conversation.item.create" and event["item"]["role"] == "user":
                question = event["item"]["content"][0]["text"]
            if event["type"] != "response.create":
                await confirm(peer, event)
                continue
            fault = self.faults.get(question, "")
            if await self._failed(peer, question, fault):
                return

    async def _failed(self, peer: Peer, question: str, fault: str) -> bool:
        """Answer a question, unless a fault is in its way; returns whether the connection is over."""
        ids: dict[str, Any] = {"response_id": f"resp_{self.name}_{question}", "item_id": f"{self.name}_{question}"}
        usage = {"input_tokens": 10, "output_tokens": 2}
        match fault:
            case "closes":
                limit = {"name": "tokens", "limit": 100, "remaining": 0, "reset_seconds": 200.0}
                await peer.send({"type": "rate_limits.updated", "rate_limits": [limit]})
                await peer.answer("half ", "an answ", end=False, **ids)
                await peer.close(4003, "access denied")
                return True
            case "goes":
                await peer.answer("half ", "an answ", end=False, **ids)
                self.status = 503
                return True
            case "fails" | "fails thrice" | "is spent":
                error = {**MESSAGE, "code": "insufficient_quota"} if fault == "is spent" else MESSAGE
                self.failures += 1
                if fault == "fails thrice" and self.failures == 3:
                    del self.faults[question]
                details = {"type": "failed", "error": error}
                response = {"id": f"resp_{len(peer.received)}", "status": "failed", "status_details": details}
                await peer.send({"type": "response.created", "response": {"id": response["id"]}})
                await peer.send({"type": "response.done", "response": {**response, "output": []}})
            case _:
                await peer.answer(f"{self.name} ", question, usage=usage, **ids)
                if fault == "closes after":
                    await peer.close(4003, "access denied")
                    return True
        return False


@dataclass
class LiveEndpoint(Endpoint):
    """The same as a Live session: it answers aloud, fails likewise, and bills two seconds where it is closed in order.

    Attributes:
        starts: What its sessions were started with.
    """

    starts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = {"type": "live", **self.session}

    async def serve(self, peer: Peer) -> None:
        """Start, confirm, and answer or fail."""
        self.starts.append(await live_peer.start(peer))
        while (event := await peer.event()) is not None:
            match event:
                case {"type": "session.close"}:
                    await live_peer.closed(peer, seconds=LIVE_S)
                case {"type": "session.instructions.append", "content": content}:
                    await peer.send(live_peer.confirmed(event))
                    question = content.rpartition("\n")[2]
                    if await self._failed(peer, question, self.faults.get(question, "")):
                        return
                case _:
                    pass

    async def _failed(self, peer: Peer, question: str, fault: str) -> bool:
        at_ms = len(peer.received) * 100
        match fault:
            case "closes" | "goes":
                await peer.send(live_peer.sound(), live_peer.words("output", "half an answ", at_ms, at_ms + 100))
                self.status = 503 if fault == "goes" else self.status
                if fault == "closes":
                    await peer.close(4003, "access denied")
                return True
            case "fails":
                self.failures += 1
            case _:
                said = f"{self.name} {question}"
                await peer.send(live_peer.sound(), live_peer.words("output", said, at_ms, at_ms + 100))
        return False


@dataclass
class Kept:
    """A session with fallbacks.

    Attributes:
        turns: Who said what, as its readers have heard.
        lines: Its log.
        cooldown_s: How long what has failed is left alone, in seconds.
    """

    session: Session
    turns: list[tuple[str, str]]
    lines: list[Any]
    cooldown_s: float = COOLDOWN_S

    async def ask(self, question: str) -> None:
        """Ask, and wait for the answer."""
        await self.session.say(question)
        await self.session.wait_answered()

    async def moved_back(self, name: str) -> None:
        """Wait until the session is carried by this provider, once what has failed is tried again."""
        await anyio.sleep(self.cooldown_s * 1.1 + 1)
        await reached(lambda: self.provider == name)

    @property
    def provider(self) -> str:
        """By what the session is carried."""
        assert self.session.carriage.provider
        return self.session.carriage.provider.name


@asynccontextmanager
async def kept(
    *endpoints: Endpoint, session: dict[str, Any] | None = None, state: StatePlace | None = None, **run: Any
) -> AsyncIterator[Kept]:
    """A session on the first endpoint, for which the others can take over."""
    turns: list[tuple[str, str]] = []

    def read(update: Update) -> None:
        turns.extend((each.role, each.text) for each in update.effects if isinstance(each, TurnEnded))

    with captured_log() as lines, anyio.fail_after(100_000):
        async with serving_all(endpoints):
            run = {"fallback_cooldown_s": COOLDOWN_S, "fallback_after_s": AFTER_S, **run}
            own, *others = (each.profile(session=session or {}, run=run) for each in endpoints)
            fallbacks = [Fallback(each.name, other) for each, other in zip(endpoints[1:], others, strict=True)]
            source = SessionProfile(own, endpoints[0].name, fallbacks)
            async with kept_session(source, readers=[read], state=state) as opened:
                yield Kept(opened, turns, lines, run["fallback_cooldown_s"])


@asynccontextmanager
async def serving_all(endpoints: tuple[Endpoint, ...]) -> AsyncIterator[None]:
    """Serve all of them."""
    if not endpoints:
        yield
        return
    first, *rest = endpoints
    async with serving(first.serve, door=first.door) as (first.port, first.peers), serving_all(tuple(rest)):
        yield
