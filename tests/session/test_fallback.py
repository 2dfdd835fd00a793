"""Sessions that other profiles carry on where their own fails: real sockets, and a clock that jumps over the waits."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import AccessRefused
from runner.session.state_place import StatePlace
from tests.helpers.endpoint_scripts import conversation, logged, told
from tests.helpers.failing_endpoints import AFTER_S, Endpoint, kept
from tests.helpers.peer import Peer
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Backend:
    """Trio, whose clock goes on while everybody waits."""
    return virtual_time("trio")


async def test_fifty_turns_are_answered_once_whatever_fails() -> None:
    """Three kinds of failure, in the middle of answers and between turns, and the way back after each."""
    own = Endpoint("own", {"q5": "closes", "q15": "goes", "q25": "fails", "q35": "closes after", "q45": "is spent"})
    west = Endpoint("west", price=100.0)
    async with kept(own, west) as each:
        expected: list[tuple[str, str]] = []
        for number in range(1, 51):
            await each.ask(f"q{number}")
            by = "west" if number % 10 in {5, 6, 7, 8} and number != 35 else "own"
            expected += [("user", f"q{number}"), ("assistant", f"{by} q{number}")]
            if number % 10 == 8:
                own.status = 0
                await each.moved_back("own")

        # Half an answer that was shown is a turn of its own, and stands nowhere else.
        assert [turn for turn in each.turns if turn != ("assistant", "half an answ")] == expected
        assert len(each.turns) - len(expected) == 2
        assert conversation(each.session) == expected
        assert told(own.peers[-1]) == [*expected[:96], expected[96], expected[98]]
        assert each.session.first_unanswered is None

        usage, carriage = each.session.usage, each.session.carriage
        parts = {name: part.output_tokens for name, part in carriage.spending.of(usage).items()}
        assert (usage.responses, parts) == (50 + 4, {"own": 2 * 31, "west": 2 * 19})
        assert carriage.cost() == pytest.approx((2 * 31 * 1.0 + 2 * 19 * 100.0) / 1e6)
        failures = [(line["provider"], line["reason"], line["next"]) for line in logged(each.lines, "provider_failed")]
        reasons = ["hopeless", "unreachable", "responses", "hopeless", "responses"]
        assert failures == [("own", reason, "west") for reason in reasons]
        moves = ["own", "own", "west", "own", "own", "west", "own"]
        assert [line["provider"] for line in logged(each.lines, "session_moved")] == moves


async def test_what_another_model_cannot_do_is_left_out_there_and_asked_for_again() -> None:
    """What the session was told meanwhile stays, and a limit of one endpoint holds up nothing at another."""
    own = Endpoint("own", {"q2": "closes"}, model="gpt-realtime-2")
    west = Endpoint("west", model="gpt-realtime")
    async with kept(own, west, session={"reasoning": {"effort": "low"}, "instructions": "Be brief."}) as each:
        await each.ask("q1")
        asked_s = anyio.current_time()
        await each.ask("q2")
        assert anyio.current_time() - asked_s < 10
        await each.session.update(instructions="Be kind.")
        await each.ask("q3")
        await each.moved_back("own")

        updates = [update for endpoint in (own, west) for peer in endpoint.peers for update in sessions_of(peer)]
        common = {"type": "realtime"}
        assert updates == [
            {**common, "instructions": "Be brief.", "reasoning": {"effort": "low"}},
            {**common, "instructions": "Be kind.", "reasoning": {"effort": "low"}},
            {**common, "instructions": "Be brief."},
            {**common, "instructions": "Be kind."},
        ]
        assert conversation(each.session)[1::2] == [("assistant", name) for name in ("own q1", "west q2", "west q3")]


async def test_what_cannot_be_had_is_passed_over_and_left_alone() -> None:
    """From the first connection on: one that is silent, one that refuses; and one that fails on the way back."""
    own, west, east = Endpoint("own", is_silent=True), Endpoint("west", status=401), Endpoint("east")
    async with kept(own, west, east) as each:
        assert (each.provider, anyio.current_time() >= AFTER_S) == ("east", True)
        await each.ask("q1")
        west.status, own.is_silent, own.status = 0, False, 503
        await each.moved_back("west")
        own.status = 0
        await each.moved_back("own")
        await each.ask("q2")

        assert conversation(each.session)[1::2] == [("assistant", "east q1"), ("assistant", "own q2")]
        failed = logged(each.lines, "provider_failed")
        failures = [(line["provider"], line["reason"], line["next"]) for line in failed[:2]]
        assert failures == [("own", "unreachable", "west"), ("west", "hopeless", "east")]
        # Whose turn it is first on the way back is left to chance.
        in_vain = [*failed[2:], *logged(each.lines, "provider_left_alone")]
        assert {line["provider"] for line in in_vain} == {"own"}
        assert {line["gap_s"] for line in logged(each.lines, "session_moved")} == {0.0}


async def test_responses_that_fail_are_asked_for_again_where_nothing_else_can_be_had() -> None:
    """And what fails then has failed; a session that nothing can carry ends."""
    own, west = Endpoint("own", {"q1": "fails thrice", "q2": "closes"}), Endpoint("west", status=401)
    async with kept(own, west) as each:
        await each.ask("q1")
        assert conversation(each.session) == [("user", "q1"), ("assistant", "own q1")]
        with pytest.raises(AccessRefused, match="4003"):
            await each.ask("q2")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_each_was_used_for_is_known_to_the_next_process(tmp_path: Path) -> None:
    """A session that goes on in another process counts on."""
    own, west, place = Endpoint("own", {"q2": "closes"}), Endpoint("west"), StatePlace(tmp_path / "state", "own")
    costs: list[dict[str, int]] = []
    for question in ("q3", "q4"):
        async with kept(own, west, state=place, resume={"path": str(place.path)}) as each:
            if question == "q3":
                await each.ask("q1")
                await each.ask("q2")
            await each.ask(question)
            used = each.session.carriage.spending.of(each.session.usage)
            costs.append({name: part.output_tokens for name, part in used.items()})
    assert costs == [{"own": 2, "west": 4}, {"own": 4, "west": 4}]


def sessions_of(peer: Peer) -> list[dict[str, Any]]:
    """The session objects that a connection was asked for, one after another."""
    return [each["session"] for each in peer.received if each["type"] == "session.update"]
