"""Sessions that other profiles carry on where their own fails: real sockets, and a clock that jumps over the waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from websockets.http11 import Request, Response

from runner.profile.session_source import Fallback, SessionProfile
from runner.protocol.effects import TurnEnded
from runner.session.opening import kept_session
from runner.session.session import Session
from runner.session.update import Update
from tests.helpers.endpoint_scripts import confirm, conversation, persistent, reached, told
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, profile_for, refusal, serving
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio

COOLDOWN_S = 30.0
AFTER_S = 5.0
MESSAGE = {"type": "server_error", "code": "server_error", "message": "no"}


@pytest.fixture
def anyio_backend() -> Backend:
    """Trio, whose clock goes on while everybody waits."""
    return virtual_time("trio")


@dataclass
class Endpoint:
    """A server that answers each question with its own name, and fails as a test says.

    Attributes:
        name: What it answers with.
        faults: How it fails, by the question at which it does.
        status: The HTTP status by which it refuses connections, 0 while it takes them.
        peers: Its connections so far.
    """

    name: str
    faults: dict[str, str] = field(default_factory=dict)
    status: int = 0
    peers: list[Peer] = field(default_factory=list)
    port: int = 0

    def door(self, _request: Request) -> Response | None:
        """Refuse a connection, or take it."""
        return refusal(self.status) if self.status else None

    async def serve(self, peer: Peer) -> None:
        """Greet, confirm everything, and answer or fail."""
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
                await peer.answer("half ", "an answ", end=False, **ids)
                await peer.close(4003, "access denied")
                return True
            case "goes":
                await peer.answer("half ", "an answ", end=False, **ids)
                self.status = 503
                return True
            case "fails" | "is spent":
                error = MESSAGE if fault == "fails" else {**MESSAGE, "code": "insufficient_quota"}
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
class Kept:
    """A session with fallbacks.

    Attributes:
        turns: Who said what, as its readers have heard.
        lines: Its log.
    """

    session: Session
    turns: list[tuple[str, str]]
    lines: list[Any]

    async def ask(self, question: str) -> None:
        """Ask, and wait for the answer."""
        await self.session.say(question)
        await self.session.wait_answered()

    @property
    def provider(self) -> str:
        """By what the session is carried."""
        assert self.session.carriage.provider
        return self.session.carriage.provider.name


@asynccontextmanager
async def kept(*endpoints: Endpoint, **run: Any) -> AsyncIterator[Kept]:
    """A session on the first endpoint, for which the others can take over."""
    turns: list[tuple[str, str]] = []

    def read(update: Update) -> None:
        turns.extend((each.role, each.text) for each in update.effects if isinstance(each, TurnEnded))

    with captured_log() as lines, anyio.fail_after(100_000):
        async with serving_all(endpoints):
            run = {"fallback_cooldown_s": COOLDOWN_S, "fallback_after_s": AFTER_S, **run}
            own, *others = (persistent(each.port, **run) for each in endpoints)
            prices = [{"output_text": 10.0**index} for index in range(len(others))]
            fallbacks = [
                Fallback(each.name, profile_for(each.port, run={"limits": {"prices": price}}))
                for each, price in zip(endpoints[1:], prices, strict=True)
            ]
            async with kept_session(SessionProfile(own, endpoints[0].name, fallbacks), readers=[read]) as session:
                yield Kept(session, turns, lines)


@asynccontextmanager
async def serving_all(endpoints: tuple[Endpoint, ...]) -> AsyncIterator[None]:
    """Serve all of them."""
    if not endpoints:
        yield
        return
    first, *rest = endpoints
    async with serving(first.serve, door=first.door) as (first.port, first.peers), serving_all(tuple(rest)):
        yield


async def test_fifty_turns_are_answered_once_whatever_fails() -> None:
    """Three kinds of failure, in the middle of answers and between turns, and the way back after each."""
    faults = {"q5": "closes", "q15": "goes", "q25": "fails", "q35": "closes after", "q45": "is spent"}
    own, west = Endpoint("own", faults), Endpoint("west")
    limits = {"prices": {"output_text": 100.0}}
    async with kept(own, west, limits=limits) as each:
        expected: list[tuple[str, str]] = []
        carried: list[str] = []
        for number in range(1, 51):
            question = f"q{number}"
            await each.ask(question)
            carried.append(each.provider)
            answered_by = "west" if question in {"q5", "q15", "q25", "q45", "q36"} or carried[-1] == "west" else "own"
            expected += [("user", question), ("assistant", f"{answered_by} {question}")]
            if number % 10 == 8:
                own.status = 0
                await anyio.sleep(COOLDOWN_S + 5)
                await reached(lambda: each.provider == "own")

        spoken = [turn for turn in each.turns if "half" not in turn[1]]
        assert spoken == expected
        assert conversation(each.session) == expected
        assert told(own.peers[-1])[: len(expected) - 6] == expected[: len(expected) - 6]
        by_west = sum("west" in text for _, text in expected)
        assert 15 <= by_west <= 25
        used = each.session.carriage.spending.of(each.session.usage)
        assert each.session.usage.output_tokens == 100
        assert {name: part.output_tokens for name, part in used.items()} == {
            "own": 100 - 2 * by_west,
            "west": 2 * by_west,
        }
