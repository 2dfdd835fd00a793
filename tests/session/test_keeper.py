"""The keeper alone, in virtual time: real links and states, connections that a test loses, and no network."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import anyio.abc
import pytest
import trio.testing

from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, RunnerError
from runner.profile import make_profile
from runner.profile.session_source import SessionProfile
from runner.protocol.state import SessionState
from runner.session.carriage import Between, Carriage, Carried, Leaving, Over
from runner.session.dialer import CONFIRMATION_S, Dialer
from runner.session.forks import Forks
from runner.session.keeper import Keeper
from runner.session.link import Link
from runner.session.outbox import Outbox
from runner.session.providers import Providers
from runner.session.session import Session
from runner.task_groups import body_task_group
from tests.helpers.log_capture import captured_log
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = pytest.mark.anyio

HOPELESS = AccessRefused("no")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio, whose clock jumps to whatever is waited for."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@dataclass
class Dials:
    """Opens the connections that a test has laid out, and raises its errors.

    Attributes:
        to_come: What each opening gives: a connection, or an error.
        opened: When each opening began, on the event loop's clock.
        links: The links that were opened.
    """

    providers: Providers
    carriage: Carriage
    to_come: list[StillConnection | RunnerError]
    opened: list[float] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    takes_s: float = 0.0

    def __post_init__(self) -> None:
        self.forks = Forks(self.carriage)

    async def open(self, lost: Callable[[Link], None]) -> Link:
        """Open the next connection."""
        self.opened.append(anyio.current_time())
        await anyio.sleep(self.takes_s)
        outcome = self.to_come.pop(0)
        if isinstance(outcome, RunnerError):
            raise outcome
        before = self.carriage.state if self.carriage.id else None
        state = SessionState(before, retries_lost=True, max_response_retries=2)
        link = await still_link(outcome, self.carriage.changes, epoch=len(self.opened), lost=lost, state=state)
        link.provider = self.providers.current
        self.links.append(link)
        return link

    def wanted(self, _link: Link) -> dict[str, Any]:
        """What the next connection is asked for."""
        return self.carriage.state.configuration.wanted

    def told(self, link: Link) -> dict[str, Any]:
        """What the log says of the connection."""
        return {"epoch": link.epoch}


@dataclass
class Kept:
    """A session that is kept connected."""

    carriage: Carriage
    session: Session
    dials: Dials


@asynccontextmanager
async def kept(*to_come: StillConnection | RunnerError, takes_s: float = 0.0, **run: Any) -> AsyncIterator[Kept]:
    """A session on the first of these connections, which the keeper looks after."""
    run = {"reconnect": {"initial_delay_s": 8, "max_delay_s": 8, "max_attempts": 3}, "stall_timeout_s": 1000, **run}
    providers = Providers(SessionProfile(make_profile(endpoint={"kind": "local"}, run=run)))
    carriage = Carriage(anyio.current_time())
    outbox = Outbox(carriage, max_audio_age_s=60)
    dials = Dials(providers, carriage, [*to_come], takes_s=takes_s)
    async with body_task_group() as tasks:
        keeper = Keeper(carriage, outbox, cast("Dialer", dials), tasks)
        await keeper.open()
        tasks.start_soon(keeper.run)
        await anyio.wait_all_tasks_blocked()
        yield Kept(carriage, Session(carriage, outbox), dials)


async def until(carriage: Carriage, is_reached: Callable[[], bool]) -> None:
    """Wait for a change that reaches this."""
    with anyio.fail_after(100):
        while not is_reached():
            await carriage.changes.next()


async def test_a_loss_moves_the_session_at_once_and_the_next_connection_carries_it() -> None:
    """Between the two it is nowhere else, and nothing has to be decided any more."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second) as each:
        carriage = each.carriage
        places = [carriage.place]
        first.break_off()
        places.append(carriage.place)
        assert [type(place) for place in places] == [Carried, Between]

        await until(carriage, lambda: carriage.link is not None)

        assert carriage.epoch == 2
        assert carriage.id == "sess_1"
        assert 0 < each.dials.opened[1] - each.dials.opened[0] < 8


async def test_what_cannot_get_better_ends_the_session_at_once() -> None:
    """In the callback of the loss, with the error that says why."""
    first = StillConnection()
    async with kept(first) as each:
        link = each.carriage.link
        assert link
        link.pump.fail(HOPELESS)

        assert each.carriage.place == Over(HOPELESS)
        with pytest.raises(AccessRefused):
            await each.session.say("Hello?")


async def test_attempts_that_are_used_up_end_the_session() -> None:
    """With what stood in the way last."""
    error = EndpointUnreachable("gone")
    first = StillConnection()
    async with kept(first, error) as each:
        first.break_off()
        await each.session.wait_over()

        assert each.carriage.place == Over(error)


async def test_a_question_without_an_answer_is_asked_again_on_the_next_connection() -> None:
    """By the same request, so that whoever waits for its answer gets it."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second) as each, anyio.create_task_group() as tasks:
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await each.session.ask("Hello?"))

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        first.come({"type": "response.created", "response": {"id": "a", "conversation_id": "c"}})
        first.come({**_delta("Hel", "a"), "item_id": "item_a"})
        first.break_off()
        await until(each.carriage, lambda: "response.create" in second.sent_types())
        second.come({"type": "response.created", "response": {"id": "b", "conversation_id": "c"}})
        second.come({**_delta("Hello", "b"), "item_id": "item_b"})
        second.come({"type": "response.done", "response": {"id": "b", "status": "completed", "output": []}})

    assert answers == ["Hello"]


async def test_a_connection_that_will_expire_is_replaced_at_a_quiet_moment() -> None:
    """The old one serves until the next one can, and is released then."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second, takes_s=1, rollover={"max_age_s": 100, "margin_s": 10}) as each:
        old = each.carriage.link
        assert old
        started_s = anyio.current_time()
        await until(each.carriage, lambda: each.carriage.epoch == 2)

        assert anyio.current_time() - started_s == pytest.approx(81, abs=1)
        with anyio.fail_after(1):
            await old.released()


async def test_a_turn_in_flight_is_not_cut_before_it_must() -> None:
    """New questions wait near the end, and at the very end the answer is cut and asked for again."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second, rollover={"max_age_s": 100, "margin_s": 10}) as each:
        carriage, started_s = each.carriage, anyio.current_time()
        await each.session.say("Hello?")
        first.come({"type": "response.created", "response": {"id": "a", "conversation_id": "c"}})
        await until(carriage, lambda: carriage.is_held)
        assert anyio.current_time() - started_s == pytest.approx(90, abs=1)

        await until(carriage, lambda: carriage.epoch == 2)

        # The history replay waits for a confirmation, which a still connection does not send.
        assert anyio.current_time() - started_s == pytest.approx(99 + CONFIRMATION_S, abs=1)
        await until(carriage, lambda: "response.create" in second.sent_types())


async def test_a_successor_that_is_lost_before_its_time_is_replaced() -> None:
    """The session does not notice."""
    first, second, third = StillConnection(), StillConnection(), StillConnection()
    async with kept(first, second, third, rollover={"max_age_s": 100, "margin_s": 10}) as each:
        carriage = each.carriage
        await each.session.say("Hello?")
        first.come({"type": "response.created", "response": {"id": "a", "conversation_id": "c"}})
        await until(carriage, lambda: carriage.is_held)
        second.break_off()
        await anyio.sleep(1)
        first.come({"type": "response.done", "response": {"id": "a", "status": "completed", "output": []}})
        await until(carriage, lambda: carriage.epoch == 3)

        assert first.sent_types() == ["conversation.item.create", "response.create"]


async def test_a_connection_without_a_successor_serves_to_its_end() -> None:
    """What stands in the way of the next one counts only when the present one is gone."""
    first, third = StillConnection(), StillConnection()
    busy = EndpointBusy("full")
    async with kept(first, busy, third, rollover={"max_age_s": 100, "margin_s": 10}) as each:
        carriage = each.carriage
        await anyio.sleep(95)
        assert carriage.epoch == 1
        await each.session.say("Still there?")
        first.break_off()
        await until(carriage, lambda: carriage.link is not None)

        assert carriage.epoch == 3


async def test_an_answer_that_never_comes_is_a_lost_connection() -> None:
    """Silence while the endpoint has to say something has a bound."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second, stall_timeout_s=30) as each:
        started_s = anyio.current_time()
        await each.session.say("Hello?")
        await until(each.carriage, lambda: isinstance(each.carriage.place, Between))

        assert 30 <= anyio.current_time() - started_s < 45


async def test_a_session_that_is_being_closed_recovers_nothing() -> None:
    """The loss of its connection is the end that the client asked for."""
    first = StillConnection()
    async with kept(first) as each:
        carriage = each.carriage
        link = carriage.leave()
        assert carriage.place == Leaving(link)
        first.break_off()
        await anyio.wait_all_tasks_blocked()
        assert carriage.place == Leaving(link)

        await each.session.aclose()

        assert each.session.is_over
        assert each.session.failure is None


async def test_a_loss_while_a_retry_is_being_sent_is_recovered() -> None:
    """The keeper looks anew after whatever it has waited for."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second) as each:
        carriage = each.carriage
        error = {"type": "server_error", "code": "server_error", "message": "busy"}
        await each.session.say("Hello?")
        first.come({"type": "response.created", "response": {"id": "a", "conversation_id": "c"}})
        failed = {"id": "a", "status": "failed", "status_details": {"error": error}, "output": []}
        first.block()
        first.come({"type": "response.done", "response": failed})
        await first.blocked.wait()
        first.break_off()
        await until(carriage, lambda: carriage.epoch == 2)
        await until(carriage, lambda: "response.create" in second.sent_types())


async def test_a_session_that_is_closed_while_it_waits_for_a_connection_stays_closed() -> None:
    """No connection is opened after the end, and one that is being opened is closed again."""
    for takes_s in (0, 50):
        first, second = StillConnection(), StillConnection()
        async with kept(first, second, takes_s=takes_s) as each:
            first.break_off()
            await anyio.sleep(10 if takes_s else 0)
            await each.session.aclose()
            await anyio.sleep(100)

            assert isinstance(each.carriage.place, Over)
            assert len(each.dials.opened) == (2 if takes_s else 1)
            assert all(each.carriage.link is not link for link in each.dials.links)
            for link in each.dials.links[1:]:
                with anyio.fail_after(1):
                    await link.released()


async def test_an_endpoint_that_ends_every_connection_at_once_is_given_fewer_and_fewer() -> None:
    """A rollover before `stable_s` counts as a failure: the waits grow, and in the end there is no other attempt."""
    connections = [StillConnection(expires_in_s=12) for _ in range(9)]
    reconnect = {"max_attempts": 4, "initial_delay_s": 8, "max_delay_s": 8}
    with captured_log() as lines:
        async with kept(*connections, reconnect=reconnect) as each:
            await until(each.carriage, lambda: each.carriage.epoch == 5)
            await anyio.sleep(11)
            connections[4].break_off()

            assert isinstance(each.carriage.place, Over)
            assert len(each.dials.opened) == 5

    assert len([line for line in lines if line["event"] == "rollover_delayed"]) == 3
    assert [line["error"] for line in lines if line["event"] == "rollover_failed"] == [
        "the endpoint ends every connection after 12 s"
    ]


async def test_a_connection_that_lives_long_enough_ends_a_row_of_failures() -> None:
    """Only the endpoint's own end counts; what the profile wants is no failure."""
    connections = [StillConnection(expires_in_s=100) for _ in range(8)]
    async with kept(*connections, reconnect={"max_attempts": 1, "stable_s": 60}) as each:
        for count in range(2, 9):
            await until(each.carriage, lambda: len(each.dials.opened) >= count)  # noqa: B023  # it is called at once
        gaps = [after - before for before, after in zip(each.dials.opened, each.dials.opened[1:], strict=False)]

    assert all(40 < gap < 60 for gap in gaps[:7])
    wanted = [StillConnection() for _ in range(5)]
    async with kept(*wanted, rollover={"max_age_s": 10}, reconnect={"max_attempts": 1}) as each:
        await until(each.carriage, lambda: each.carriage.epoch == 5)


async def test_a_session_that_is_closed_in_a_rollover_stays_closed() -> None:
    """The successor that was being told of the conversation is not taken."""
    first, second = StillConnection(), StillConnection()
    async with kept(first, second, rollover={"max_age_s": 100, "margin_s": 10}) as each:
        carriage = each.carriage
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        carriage.state.conversation.put({**item, "id": "item_1", "status": "completed"})
        await until(carriage, lambda: carriage.is_held)
        await each.session.aclose()
        await anyio.sleep(100)

        assert isinstance(carriage.place, Over)


def _delta(text: str, response_id: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "response_id": response_id, "content_index": 0, "delta": text}
