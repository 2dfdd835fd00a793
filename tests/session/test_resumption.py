"""A session goes on where another process has left it; a copy of its state is what a process leaves that is killed."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import OutputError
from runner.profile import make_profile
from runner.protocol.effects import FunctionAnswered, ResponseStarted, TurnEnded
from runner.session import tool_loop
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.log_capture import captured_log
from tests.resume.test_state_file import full_after

pytestmark = pytest.mark.anyio

SCRIPT = [
    {"match": "order", "calls": [{"name": "pay"}, {"name": "look"}]},
    {"match": "long", "reply": "word " * 200},
    {"match": "^bye", "reply": "Bye.", "calls": [{"name": "end_session"}]},
]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what differs between the two is tried elsewhere."""
    return "asyncio"


@asynccontextmanager
async def session_at(path: Path, updates: list[Update] | None = None, **tables: Any) -> AsyncIterator[Session]:
    """A session of the local endpoint, in text, that is written down there."""
    run = {"resume": {"path": str(path)}, **tables.pop("run", {})}
    endpoint = {"kind": "local", "delta_interval_ms": 1, "script": SCRIPT}
    session = {"output_modalities": ["text"]}
    profile = make_profile(**{"endpoint": endpoint, "session": session, "run": run, **tables})
    readers = [] if updates is None else [updates.append]
    with anyio.fail_after(PATIENCE_S):
        async with open_session(profile, readers=readers) as opened:
            yield opened


def conversation(session: Session) -> list[tuple[str, str]]:
    """The items of a conversation: of each its role or type, and its text."""
    return [(each.role or each.type, each.text) for each in session.state.conversation.items]


async def written(path: Path, text: str) -> None:
    """Wait until a file holds this text."""
    while text not in path.read_text():  # noqa: ASYNC110, ASYNC240  # a file tells nobody
        await anyio.sleep(0.001)


def of(updates: list[Update], kind: Any) -> list[Any]:
    """The effects of a kind."""
    return [each for update in updates for each in update.effects if isinstance(each, kind)]


async def test_a_session_goes_on_with_its_conversation_its_usage_and_its_name(tmp_path: Path) -> None:
    """The next process greets nobody again, and its endpoint knows all that was said; one beside it is refused."""
    path, greeting = tmp_path / "state", {"text": "Welcome."}
    heard: list[Update] = []
    async with session_at(path, greeting=greeting) as first:
        await first.ask("one")
        with pytest.raises(OutputError, match="in use"):
            async with session_at(path):
                pass
        assert not first.is_resumed
    async with session_at(path, heard, greeting=greeting) as second:
        assert second.is_resumed
        assert (second.id, second.usage) == (first.id, first.usage)
        assert conversation(second) == conversation(first)
        assert await second.ask("two") == "You said: two"
        replayed = [each.event["item"]["id"] for each in heard if each.event and "previous_item_id" in each.event]
        assert set(first.state.conversation.by_id) < set(replayed)
    with captured_log() as log:
        async with session_at(path, greeting=greeting) as third:
            assert conversation(third) == [
                ("assistant", "Welcome."),
                ("user", "one"),
                ("assistant", "You said: one"),
                ("user", "two"),
                ("assistant", "You said: two"),
            ]
            assert third.usage.responses == 3
    (line,) = (each for each in log if each["event"] == "state_resumed")
    assert (line["items"], "asked_again" in line) == (5, False)
    # What an earlier process has reported is no news.
    assert [each.text for each in of(heard, TurnEnded)] == ["two", "You said: two"]


async def test_a_call_that_was_begun_is_not_run_again_unless_that_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while two calls run, one of which has ended: each has one output, and the turn goes on."""
    path, ran = tmp_path / "state", list[str]()
    heard: list[Update] = []
    shop = Shop(ran)
    async with session_at(path) as first:
        shop.serve(first)
        shop.then = lambda: shutil.copy(path, tmp_path / "begun")
        shop.waits_for = '"outcome":"ok","output":"paid"'
        shop.path, shop.copy = path, tmp_path / "paid"
        await first.ask("order")
    assert ran == ["pay", "look"]
    gone = tmp_path / "gone"
    shutil.copy(tmp_path / "begun", gone)

    ran.clear()
    with captured_log() as log:
        async with session_at(tmp_path / "begun", heard) as second:
            Shop(ran).serve(second)
            await second.wait_idle()
            outputs = [text for kind, text in conversation(second) if kind == "function_call_output"]
    assert ran == ["look"]
    assert max(outputs) == "seen"
    assert min(outputs).startswith("interrupted, outcome unknown: ")
    assert [each.outcome for each in of(heard, FunctionAnswered)] == ["interrupted", "ok"]
    assert [each["tool"] for each in log if each["event"] == "tool_interrupted"] == ["pay"]
    assert conversation(second)[-1][0] == "assistant"
    assert len(of(heard, ResponseStarted)) == 1

    ran.clear()
    async with session_at(tmp_path / "paid") as third:
        Shop(ran).serve(third)
        await third.wait_idle()
        outputs = [text for kind, text in conversation(third) if kind == "function_call_output"]
    assert (ran, sorted(outputs)) == (["look"], ["paid", "seen"])

    # Where tools are gone, the turn waits for them no longer than it must.
    monkeypatch.setattr(tool_loop, "OFFERED_S", 0.01)
    async with session_at(gone) as fourth:
        await fourth.wait_idle()
        assert conversation(fourth)[-1][0] == "assistant"
        assert len(fourth.state.conversation.unanswered_calls) == 0


class Shop:
    """Two functions for the model, one of which does no harm when it is run twice."""

    def __init__(self, ran: list[str]) -> None:
        self.ran = ran
        self.then: Callable[[], object] = bool
        self.waits_for = ""
        self.path = self.copy = Path()

    def serve(self, session: Session) -> None:
        """Offer both."""
        session.tool(self.pay)
        session.tool(retries=1)(self.look)

    async def pay(self) -> str:
        """Pay."""
        self.ran.append("pay")
        self.then()
        return "paid"

    async def look(self) -> str:
        """Look."""
        self.ran.append("look")
        if self.waits_for:
            await written(self.path, self.waits_for)
            shutil.copy(self.path, self.copy)
        return "seen"


async def test_the_turn_in_flight_is_asked_again(tmp_path: Path) -> None:
    """Killed in the middle of an answer: the next process answers the same question, once, or leaves it as it is."""
    path, copy = tmp_path / "state", tmp_path / "copy"

    def kill(update: Update) -> None:
        is_piece = update.event and update.event["type"] == "response.output_text.delta"
        if is_piece and not copy.exists() and '"long"' in path.read_text():
            shutil.copy(path, copy)

    updates: list[Update] = []
    async with session_at(path, updates) as first:
        first.carriage.add_reader(kill)
        await first.ask("zero")
        await first.ask("long")
    dropped = tmp_path / "dropped"
    shutil.copy(copy, dropped)
    answered = conversation(first)
    async with session_at(copy) as second:
        assert conversation(second) == answered[:3]
        assert await second.ask("two") == "You said: two"
        assert conversation(second) == [*answered, ("user", "two"), ("assistant", "You said: two")]
    async with session_at(dropped, run={"reconnect": {"response_in_flight": "drop"}}) as third:
        await third.wait_idle()
        assert conversation(third) == answered[:3]


async def test_a_state_that_cannot_be_written_ends_the_session(tmp_path: Path) -> None:
    """On a full disk no tool is begun, the session ends with 74, and what was written is still there."""
    path, ran = tmp_path / "state", list[str]()
    async with session_at(path) as session:
        Shop(ran).serve(session)
        await session.ask("one")
        await written(path, '"responses":1')
        before = path.read_bytes()
        with full_after(len(before) + 10), pytest.raises(OutputError, match="cannot be written") as full:
            await session.ask("order")
        assert session.failure is full.value
    assert (full.value.exit_code, ran, path.read_bytes()) == (74, [], before)
    async with session_at(path) as again:
        assert conversation(again) == [("user", "one"), ("assistant", "You said: one")]


async def test_a_good_bye_is_the_end_of_the_conversation(tmp_path: Path) -> None:
    """Where the model has hung up, or nobody was there, the next process begins anew."""
    path = tmp_path / "state"
    async with session_at(path, run={"tools": {"hang_up": True}}) as session:
        await session.say("bye")
        await session.wait_over()
        assert conversation(session)[0] == ("user", "bye")
    async with session_at(path, idle={"after_s": 0.01}) as again:
        assert (again.is_resumed, conversation(again)) == (False, [])
        assert again.id != session.id
        await again.wait_over()
    async with session_at(path) as third:
        assert not third.is_resumed


async def test_the_file_has_bounds(tmp_path: Path) -> None:
    """It is rewritten before it grows too large, at last without the oldest items, which the log tells."""
    path = tmp_path / "state"
    with captured_log() as log:
        async with session_at(path, run={"resume": {"path": str(path), "max_bytes": 65536}}) as session:
            for number in range(150):
                content = [{"type": "input_text", "text": f"{number} {'x' * 1000}"}]
                await session.send(
                    {
                        "type": "conversation.item.create",
                        "item": {"type": "message", "role": "user", "content": content},
                    }
                )
            await session.wait_idle()
            sizes = path.stat().st_size
    assert max(sizes, path.stat().st_size) <= 65536 + 2000
    assert [each["items"] > 0 for each in log if each["event"] == "state_cut"]
    async with session_at(path) as again:
        kept = [text.split()[0] for _, text in conversation(again)]
        assert kept == [str(number) for number in range(150 - len(kept), 150)]
        assert 20 < len(kept) < 60
