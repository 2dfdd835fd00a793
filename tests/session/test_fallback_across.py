"""A Live session that takes over from a realtime one, and the other way round: real sockets, and virtual time."""

import json
from typing import Any

import anyio
import pytest

from runner.outputs.transcript import Transcript
from runner.protocol import voices
from tests.helpers import live_peer
from tests.helpers.endpoint_scripts import asked, confirm, conversation, kinds, logged, told
from tests.helpers.failing_endpoints import LIVE_S, Endpoint, LiveEndpoint, kept
from tests.helpers.peer import Peer
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio

FAULTS = {"q3": "closes", "q6": "goes", "q9": "fails"}
COMMON = {"instructions": "Be brief."}


@pytest.fixture
def anyio_backend() -> Backend:
    """Trio, whose clock goes on while everybody waits."""
    return virtual_time("trio")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.3)


def told_live(start: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what by the history that a Live session has started with."""
    return [(each["role"], each["content"][0]["text"]) for each in start.get("input", ())]


@pytest.mark.parametrize("is_live_first", [False, True])
async def test_every_turn_is_answered_once_on_either_kind(is_live_first: bool) -> None:
    """Hopeless and unreachable in mid-answer, and answers that fail; and back after each."""
    own: Endpoint = LiveEndpoint("own", FAULTS) if is_live_first else Endpoint("own", FAULTS)
    west: Endpoint = Endpoint("west", price=60.0) if is_live_first else LiveEndpoint("west", price=60.0)
    async with kept(own, west, session=COMMON, stall_timeout_s=2.0, fallback_cooldown_s=3.0) as each:
        expected: list[tuple[str, str]] = []
        for number in range(1, 12):
            await each.ask(f"q{number}")
            by = "west" if number > 2 and number % 3 != 2 else "own"
            expected += [("user", f"q{number}"), ("assistant", f"{by} q{number}")]
            if number > 2 and number % 3 == 1:
                own.status = 0
                await each.moved_back("own")
        session_id = each.session.id

        halves = [turn for turn in each.turns if turn == ("assistant", "half an answ")]
        assert [turn for turn in each.turns if turn not in halves] == expected
        assert len(halves) == 2
        assert [turn for turn in conversation(each.session) if turn not in halves] == expected
        assert each.session.first_unanswered is None
        moved = [line["reason"] for line in logged(each.lines, "provider_failed")]
        assert moved == ["hopeless", "unreachable", "responses"]
        live, realtime = (own, west) if is_live_first else (west, own)
        assert isinstance(live, LiveEndpoint)
        assert {start["instructions"] for start in live.starts} == {"Be brief."}
        for endpoint in (realtime,):
            for peer in endpoint.peers[1:]:
                said = [turn for turn in told(peer) if turn not in halves]
                at = expected.index(said[0])
                assert said[: len(expected)] == [turn for turn in expected[at:] if turn in said]
        for start in live.starts[1:]:
            said = [turn for turn in told_live(start) if turn not in halves]
            assert said == expected[: len(said)]
            assert said
        await each.session.aclose()

        used = each.session.carriage.spending.of(each.session.usage)
        cost = each.session.carriage.cost()
    assert session_id == each.session.id
    assert used["own" if not is_live_first else "west"].live_s == 0
    if not is_live_first:
        assert used["west"].live_s == LIVE_S * len(west.peers)
        assert cost == pytest.approx(LIVE_S * len(west.peers) + used["own"].output_tokens / 1e6)


class Caller(Endpoint):
    """A realtime endpoint that calls a function for the first question, and is gone then."""

    async def serve(self, peer: Peer) -> None:
        """Call, close; on later connections, answer by what the conversation holds."""
        await peer.greet()
        if len(self.peers) > 1 or self.name == "west":
            await self.answer(peer)
            return
        await asked(peer)
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}})
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "order", "arguments": "{}"}
        done = {"id": "resp_1", "status": "completed", "output": [{**call, "status": "completed"}]}
        await peer.send({"type": "response.done", "response": done})
        await peer.close(4003, "access denied")

    async def answer(self, peer: Peer) -> None:
        """Answer each question by the outputs that the conversation holds."""
        outputs: list[str] = []
        while (event := await peer.event()) is not None:
            if event["type"] == "response.create":
                ids: dict[str, Any] = {
                    "response_id": f"resp_{len(peer.received)}",
                    "item_id": f"item_{len(peer.received)}",
                }
                await peer.answer(f"{self.name} {'+'.join(outputs)}", **ids)
            else:
                await confirm(peer, event)
                outputs += [event["item"]["output"]] if "output" in event.get("item", {}) else []


class LiveCaller(LiveEndpoint):
    """A Live endpoint whose backend calls a function for the first question, and that is gone then."""

    async def serve(self, peer: Peer) -> None:
        """Delegate, close; on later connections, answer."""
        if len(self.peers) > 1 or self.name == "west":
            await super().serve(peer)
            return
        self.starts.append(await live_peer.start(peer))
        question = await peer.until("session.instructions.append")
        await peer.send(live_peer.confirmed(question))
        await live_peer.delegate(peer, "dlg_1", ("order", "{}"))
        await peer.close(4003, "access denied")


DELEGATION = {"delegation": {"type": "responses", "responses": {"model": "gpt-5.2", "tools": [{"type": "web_search"}]}}}


@pytest.mark.parametrize("is_live_first", [False, True])
async def test_a_call_that_a_takeover_overtakes_is_run_once_and_answered_there(is_live_first: bool) -> None:
    """Its output goes to whoever carries the session then, who is asked with it and not before."""
    own: Endpoint = LiveCaller("own", session=DELEGATION) if is_live_first else Caller("own")
    west: Endpoint = Caller("west") if is_live_first else LiveCaller("west", session=DELEGATION)
    runs: list[str] = []
    async with kept(own, west, session=COMMON, fallback_cooldown_s=3.0) as each:
        goes_on = anyio.Event()

        @each.session.tool(name="order", description="Looks an order up.")
        async def order() -> str:
            runs.append("run")
            await goes_on.wait()
            return "shipped"

        async with anyio.create_task_group() as tasks:
            answers: list[str] = []

            async def ask() -> None:
                answers.append(await each.session.ask("q1"))

            tasks.start_soon(ask)
            while each.session.carriage.epoch < 2:
                await each.session.changes.next()
            await anyio.sleep(1)
            goes_on.set()
        assert runs == ["run"]
        assert len(answers) == 1
        (peer,) = west.peers
        if is_live_first:
            assert answers == ["west shipped"]
            assert kinds(peer).count("response.create") == 1
            updates = [event["session"] for event in peer.received if event["type"] == "session.update"]
            assert [tool["name"] for tool in updates[-1]["tools"]] == ["order"]
        else:
            assert answers == ["west q1"]
            texts = [event["content"] for event in peer.received if "content" in event]
            assert texts[0] == "order has answered, to {}: shipped"
            assert len(texts) == 2
            tools = peer.received[0]["session"]["delegation"]["responses"]["tools"]
            assert [tool.get("name", tool["type"]) for tool in tools] == ["web_search", "order"]
        await each.moved_back("own")
        await each.ask("q2")
        assert len(runs) == 1
        last = own.peers[-1]
        if is_live_first:
            told_own = told_live(last.received[0]["session"])
            assert told_own[1] == ("developer", "order has answered, to {}: shipped")
        else:
            assert each.turns[-1] == ("assistant", "own shipped")


async def test_what_waited_and_cannot_be_asked_of_a_live_session_is_unanswered() -> None:
    """A request out of band that was sent while there was no connection; the question itself goes on."""
    own, west = Endpoint("own", {"q1": "closes"}), LiveEndpoint("west")
    async with kept(own, west, session=COMMON) as each:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(each.session.ask, "q1")
            while each.session.carriage.epoch < 1 or each.session.carriage.link is not None:
                await each.session.changes.next()
            await each.session.send({"type": "response.create", "response": {"conversation": "none"}})
        assert "cannot be asked for" in str(each.session.first_unanswered)
        assert each.turns[-1] == ("assistant", "west q1")
    assert logged(each.lines, "event_left_out")


class SpokenOver(LiveEndpoint):
    """A Live endpoint whose answers the user speaks over, whose words come only after their end."""

    async def _failed(self, peer: Peer, question: str, fault: str) -> bool:
        await peer.send(live_peer.sound(), live_peer.words("output", f"{question} and", 0, 1000))
        await anyio.sleep(1)
        await peer.send(live_peer.words("input", "No", 900, 1200))
        return False


@pytest.mark.parametrize("is_live_first", [False, True])
async def test_a_transcript_follows_the_kind_of_the_session_that_carries_it(is_live_first: bool) -> None:
    """Answers of a Live session wait for what follows, and are interrupted; those of a realtime session are written."""
    own: Endpoint = LiveEndpoint("own", {"q1": "closes"}) if is_live_first else Endpoint("own", {"q1": "closes"})
    west: Endpoint = Endpoint("west") if is_live_first else SpokenOver("west")
    transcript = Transcript()
    lines: list[str] = []
    async with kept(own, west, session=COMMON) as each:
        each.session.carriage.add_reader(lambda update: lines.append(transcript.render([update])))
        await each.ask("q1")
        await anyio.sleep(2)
        turns = [json.loads(line) for line in "".join(lines).splitlines()]
    said = [(turn["text"], turn["status"]) for turn in turns if turn["role"] == "assistant"]
    assert said[1:] == ([("west q1", "completed")] if is_live_first else [("q1 and", "interrupted")])
