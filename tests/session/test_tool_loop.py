"""The functions that a model calls are run once, answered together, and the turn goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from runner.errors import ProtocolError
from runner.protocol.effects import FunctionAnswered, FunctionCalled, ResponseEnded, ResponseStarted
from runner.session import turn_continuation
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S, asked, confirm, kinds, logged, session_with
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer
from tests.helpers.virtual_time import in_virtual_time

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: those in virtual time run on the other one."""
    return "asyncio"


SCRIPT = [
    {
        "match": "order (\\d+)",
        "reply": "I look.",
        "calls": [
            {"name": "order", "arguments": {"number": "\\1"}},
            {"name": "order", "arguments": {"no": "\\1"}},
            {"name": "order", "arguments": "{no JSON"},
            {"name": "nothing_like_it"},
        ],
    },
    {"match": "many", "calls": [{"name": "order", "arguments": {"number": str(n)}} for n in range(50)]},
    {"match": "again", "calls": [{"name": "order", "arguments": {"number": "again"}}]},
    {"output": "^again$", "calls": [{"name": "order", "arguments": {"number": "again"}}]},
    {"match": "two", "calls": [{"name": "slow"}, {"name": "slow"}]},
    {"instructions": "look", "reply": "One moment."},
]


def local(*, declared: Any = (), **run: Any) -> Profile:
    """A profile of the local endpoint, in text, with the tools that it declares."""
    tables: dict[str, Any] = {
        "version": 1,
        "endpoint": {"kind": "local", "delta_interval_ms": 1, "script": SCRIPT},
        "model": {"name": "gpt-realtime-2"},
        "session": {"output_modalities": ["text"]},
        "tools": list(declared),
        "run": run,
    }
    return Profile.model_validate(tables)


@asynccontextmanager
async def locally(profile: Profile) -> AsyncIterator[tuple[Session, list[Update]]]:
    """A session with the local endpoint, and what it has heard."""
    updates: list[Update] = []
    with anyio.fail_after(PATIENCE_S):
        async with open_session(profile, readers=[updates.append]) as session:
            yield session, updates


def effects(updates: list[Update], kind: Any) -> list[Any]:
    """The effects of a kind."""
    return [each for update in updates for each in update.effects if isinstance(each, kind)]


def outputs(session: Session) -> list[str]:
    """The outputs of functions in the conversation, in order."""
    return [each.text for each in session.state.conversation.items if each.type == "function_call_output"]


async def test_every_call_is_answered_and_then_one_response_is_asked_for() -> None:
    """Good calls, bad ones and unknown ones of one response get their outputs, and the answer uses them."""
    async with locally(local()) as (session, updates):

        @session.tool(parameters={"type": "object", "properties": {"number": {}}, "required": ["number"]})
        async def order(number: str) -> str:
            """Look up an order."""
            return f"order {number} is shipped"

        answer = await session.ask("Where is order 17?")

        assert answer.startswith("I look.\nThe functions answered:")
        assert len(effects(updates, ResponseStarted)) == 2
        assert [(each.status, each.is_step) for each in effects(updates, ResponseEnded)] == [
            ("completed", True),
            ("completed", False),
        ]
        called, answered = effects(updates, FunctionCalled), effects(updates, FunctionAnswered)
        assert [each.name for each in called] == ["order", "order", "order", "nothing_like_it"]
        outcomes = {each.call_id: each.outcome for each in answered}
        assert [outcomes[each.call_id] for each in called] == ["ok", "invalid", "invalid", "unknown"]
        assert "order 17 is shipped" in answer
        assert "There is no tool 'nothing_like_it'" in answer
        assert session.state.effective["tools"][0]["description"] == "Look up an order."
        assert not session.state.is_pending


async def test_calls_run_beside_each_other_within_bounds_and_for_ever_never() -> None:
    """Fifty calls of one response run as many at a time as the tool allows; a turn ends after its rounds.

    Nothing that a call leaves in its context is there in the next round.
    """
    running, most, ran = 0, 0, 0
    left = ContextVar("left", default=0)
    async with locally(local(tools={"max_rounds": 3})) as (session, updates):

        @session.tool(concurrency=7)
        async def order(number: str) -> str:
            nonlocal running, most, ran
            running, ran = running + 1, ran + 1
            assert left.get() == 0
            left.set(ran)
            most = max(most, running)
            await anyio.lowlevel.checkpoint()
            running -= 1
            return number

        await session.ask("many")
        assert (ran, most, len(outputs(session))) == (50, 7, 50)
        updates.clear()
        with captured_log() as lines:
            answer = await session.ask("again and again")
        assert answer == "The function answered: again"
        assert (ran, len(effects(updates, ResponseStarted))) == (53, 4)
        assert len(logged(lines, "tool_rounds_spent")) == 1


async def test_a_session_that_ends_finishes_a_turn_without_further_calls() -> None:
    """Its limits, or a signal, end it while a call runs: the result is answered, and the model may only speak."""
    ran = 0
    async with locally(local()) as (session, _):

        @session.tool
        async def order(number: str) -> str:
            nonlocal ran
            ran += 1
            session.drain()
            return number

        assert await session.ask("again and again") == "The function answered: again"
    assert ran == 1


async def test_a_cancelled_turn_begins_nothing_more_and_answers_every_call() -> None:
    """What runs goes on to its end and what waits is withdrawn; no response follows, and the next turn is free."""
    begun = 0
    release, is_running = anyio.Event(), anyio.Event()
    async with locally(local()) as (session, updates):

        @session.tool(concurrency=1)
        async def slow() -> str:
            nonlocal begun
            begun += 1
            is_running.set()
            await release.wait()
            return "late"

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.ask, "two")
            await is_running.wait()
            await session.cancel()
        await session.ask("Hello")
        assert session.state.is_pending
        release.set()
        await session.wait_idle()

        assert begun == 1
        assert sorted(outputs(session)) == ["The call was not run, because its turn was interrupted.", "late"]
        assert len(effects(updates, ResponseStarted)) == 2


async def test_what_is_declared_for_the_client_is_answered_from_outside() -> None:
    """The call is an effect, its output an event of the program; rt-run asks for the response, once."""
    async with locally(local(declared=[{"name": "order", "run": {"kind": "client"}}])) as (session, updates):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.say, "again")
            while not (called := effects(updates, FunctionCalled)):
                await session.changes.next()
            item = {"type": "function_call_output", "call_id": called[0].call_id, "output": "from outside"}
            await session.send({"type": "conversation.item.create", "item": item})
            await session.wait_answered()
        assert outputs(session) == ["from outside"]
        assert len(effects(updates, ResponseStarted)) == 2


@pytest.mark.parametrize(
    ("approval", "answer", "outcome"),
    [
        ("always", True, "ok"),
        ("always", False, "denied"),
        ("always", ZeroDivisionError(), "denied"),
        ({"command": ["sh", "-c", 'test -z "$A_SECRET" && grep -q \'"name":"order"\'']}, None, "ok"),
        ({"command": ["sh", "-c", "echo too late; exit 3"]}, None, "denied"),
        ({"command": ["./no-such-program"]}, None, "denied"),
    ],
)
async def test_a_call_that_needs_approval_runs_only_with_it(
    approval: Any, answer: Any, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is asked, or a command without our environment decides; the model is told of what is denied."""
    monkeypatch.setenv("A_SECRET", "told to nobody")
    requests = []

    async def approve(request: Any) -> bool:
        requests.append((request.name, request.arguments))
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    updates: list[Update] = []
    async with open_session(local(tools={"max_rounds": 1}), readers=[updates.append], approve=approve) as session:

        @session.tool(approval=approval)
        def order(number: str) -> str:
            return number

        with anyio.fail_after(PATIENCE_S):
            reply = await session.ask("again")

    (answered,) = effects(updates, FunctionAnswered)
    assert answered.outcome == outcome
    assert ("denied" in reply) == (outcome == "denied")
    assert ("too late" in reply) == ("too late" in str(approval))
    assert requests == ([("order", '{"number":"again"}')] if approval == "always" else [])


def test_what_nobody_approves_of_is_denied_in_time() -> None:
    """The model is told, and the session goes on."""

    async def run() -> tuple[str, float, int]:
        async with open_session(local(tools={"approval_timeout_s": 60})) as session:
            session.tool(approval="always", name="order")(_order)
            began_s = anyio.current_time()
            answer = await session.ask("again")
            return answer, anyio.current_time() - began_s, len(session.tools.approvals.waiting if session.tools else ())

    answer, took_s, waiting = in_virtual_time(run)

    assert "Nobody has approved of the call within 60 s." in answer
    assert 60 <= took_s < 61
    assert waiting == 0


def _order(number: str) -> str:
    return number


@pytest.mark.parametrize(
    ("takes_s", "filled"), [(0.5, []), (1.02, [1000]), (5.0, [1000])], ids=["quick", "cut-short", "long"]
)
def test_a_word_is_said_while_calls_take_long(takes_s: float, filled: list[int]) -> None:
    """Once in a turn, out of band, after the time for it; the answer waits for its end, and history has none of it."""

    async def run() -> tuple[list[Any], list[Update], list[tuple[str, str]]]:
        updates: list[Update] = []
        profile = local(tools={"say_after_ms": 1000, "say": "Say that you look it up.", "max_rounds": 2})
        with captured_log() as lines:
            async with open_session(profile, readers=[updates.append]) as session:

                @session.tool
                async def order(number: str) -> str:
                    await anyio.sleep(takes_s)
                    return number

                await session.ask("again")
                await session.wait_idle()
                turns = [(each.role, each.text) for each in session.state.conversation.items if each.role]
        return logged(lines, "filler_asked"), updates, turns

    lines, updates, turns = in_virtual_time(run)

    assert [each["waited_ms"] for each in lines] == filled
    assert turns == [("user", "again"), ("assistant", "The function answered: again")]
    ended = [each.response_id for each in effects(updates, ResponseEnded)]
    begun = [each.response_id for each in effects(updates, ResponseStarted)]
    assert len(begun) == 3 + len(filled)
    # Never two at a time: each response ends before the next one begins.
    assert ended == begun


async def call(peer: Peer, number: int, *, end: bool = True) -> dict[str, Any]:
    """Call the function as one response, which `end=False` leaves in flight; returns the item."""
    response_id, item_id = f"resp_{number}", f"item_call_{number}"
    item = {"id": item_id, "type": "function_call", "call_id": f"call_{number}", "name": "order", "status": "completed"}
    item["arguments"] = '{"number":"7"}'
    await peer.send({"type": "response.created", "response": {"id": response_id, "conversation_id": "c"}})
    await peer.send({"type": "response.output_item.added", "response_id": response_id, "item": item})
    await peer.send({"type": "response.output_item.done", "response_id": response_id, "item": item})
    if end:
        done = {"id": response_id, "status": "completed", "output": [item], "conversation_id": "c"}
        await peer.send({"type": "response.done", "response": done})
    return item


@dataclass
class Losses:
    """An endpoint that loses its first connection at a moment of a call, and the function that is called."""

    moment: str
    ran: int = 0
    is_running: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)

    async def order(self, number: str) -> str:
        """Look up an order."""
        self.ran += 1
        self.is_running.set()
        if self.moment == "during":
            await self.release.wait()
        return f"{number} is shipped"

    async def first(self, peer: Peer) -> None:
        """Call the function, and go."""
        await peer.greet()
        await asked(peer)
        await call(peer, 1, end=self.moment != "before")
        if self.moment == "during":
            await self.is_running.wait()
        elif self.moment != "before":
            while (event := await peer.event()) and event.get("item", {}).get("type") != "function_call_output":
                pass
        if self.moment == "asked":
            await asked(peer)

    async def second(self, peer: Peer) -> None:
        """Call the function where it was not called whole, and answer."""
        await peer.greet()
        self.release.set()
        await asked(peer)
        if self.moment == "before":
            await call(peer, 2)
            await asked(peer)
        await peer.answer("It is shipped.", response_id="resp_9", item_id="item_9")
        while event := await peer.event():
            await confirm(peer, event)


@pytest.mark.parametrize("moment", ["before", "during", "after", "asked"])
async def test_a_call_is_run_once_whatever_becomes_of_the_connection(moment: str) -> None:
    """The connection is lost before the call is whole, while it runs, after its output, or when the answer is due."""
    losses = Losses(moment)
    async with session_with(losses.first, losses.second) as (session, peers, _):
        session.tool(losses.order)

        assert await session.ask("Where is it?") == "It is shipped."
        assert session.first_unanswered is None
        await session.wait_idle()

    assert losses.ran == 1
    told = [each["item"]["type"] for each in peers[1].received if each["type"] == "conversation.item.create"]
    assert told == ["message", *(["function_call"] if moment != "before" else []), "function_call_output"]
    assert kinds(peers[1]).count("response.create") == (2 if moment == "before" else 1)
    calls = [each for each in session.state.conversation.items if each.type.startswith("function_call")]
    assert [each.type for each in calls] == ["function_call", "function_call_output"]
    assert outputs(session) == ["7 is shipped"]


async def test_a_model_that_may_call_no_more_is_answered_and_left() -> None:
    """Calls of a response that was to call nothing, or that was cancelled, are not run, and get their outputs."""
    ran = 0

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await call(peer, 1)
        assert (await asked(peer))["response"] == {"tool_choice": "none"}
        await call(peer, 2)
        await asked(peer)
        item = await call(peer, 3, end=False)
        done = {"id": "resp_3", "status": "cancelled", "output": [item], "conversation_id": "c"}
        await peer.send({"type": "response.done", "response": done})
        await asked(peer)
        await peer.answer("Well.", response_id="resp_9", item_id="item_9")
        await peer.to_the_end()

    async with session_with(script, tools={"max_rounds": 1}) as (session, _, _lines):

        @session.tool
        def order(number: str) -> str:
            nonlocal ran
            ran += 1
            return number

        assert await session.ask("Where is it?") == ""
        await session.wait_idle()
        assert isinstance(session.first_unanswered, ProtocolError)
        assert await session.ask("And now?") == ""
        assert await session.ask("Well?") == "Well."

    assert ran == 1
    assert outputs(session) == [
        "7",
        "The call was not run: the turn has had its 1 rounds of calls.",
        "The call was not run, because its turn was interrupted.",
    ]


@pytest.mark.parametrize("is_approved", [True, False])
async def test_the_endpoint_s_own_question_goes_the_same_way(
    is_approved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever approves of calls is asked, and the turn goes on: by the endpoint itself, or because it is asked to."""
    goes_on_by_itself = is_approved
    monkeypatch.setattr(turn_continuation, "OWN_RESPONSE_S", PATIENCE_S if goes_on_by_itself else 0.01)
    requests = []

    async def approve(request: Any) -> bool:
        requests.append((request.server, request.name, request.arguments))
        return is_approved

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        item = {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "tickets", "name": "find"}
        done = {"id": "resp_1", "status": "completed", "output": [{**item, "arguments": "{}"}], "conversation_id": "c"}
        await peer.send({"type": "response.created", "response": {"id": "resp_1", "conversation_id": "c"}})
        await peer.send({"type": "response.done", "response": done})
        if goes_on_by_itself:
            await peer.until("conversation.item.create")
        else:
            await asked(peer)
        await peer.answer("Found.", response_id="resp_2", item_id="item_2")
        await peer.to_the_end()

    session_tools = [{"type": "mcp", "server_label": "tickets", "server_url": "https://mcp.example/x"}]
    async with session_with(script, session={"tools": session_tools}) as (session, peers, _):
        assert session.tools
        session.tools.approvals.ask_by(approve)
        assert await session.ask("Find it.") == "Found."

    assert requests == [("tickets", "find", "{}")]
    assert kinds(peers[0]).count("response.create") == (1 if goes_on_by_itself else 2)
    (answer,) = [each["item"] for each in peers[0].received if each.get("item", {}).get("type", "").startswith("mcp")]
    assert answer.pop("id", "")
    expected = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": is_approved}
    assert answer == {**expected, **({} if is_approved else {"reason": "The call was denied."})}
