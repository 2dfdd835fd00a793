"""A session that runs goes by another profile."""

from typing import Any

import anyio
import pytest

from runner.errors import IllegalEvent, RunnerError
from runner.session.reconfiguration import renew
from tests.helpers.endpoint_scripts import (
    attentive,
    conversation,
    in_turn,
    kinds,
    moved,
    persistent,
    session_with,
    told,
)
from tests.helpers.peer import Peer, refusal, serving

pytestmark = pytest.mark.anyio


async def test_a_session_moves_to_another_endpoint_without_a_gap() -> None:
    """With its conversation and the new configuration alone, at a quiet moment; what comes later stays there."""
    async with (
        serving(attentive) as (port, others),
        session_with(attentive, session={"instructions": "Be kind"}) as (session, peers, _),
    ):
        await session.ask("one")
        await session.update(tool_choice="none")
        profile = persistent(port, session={"instructions": "Be brief"})
        await renew(session.carriage, profile, {"type": "realtime", "instructions": "Be brief"})
        answer = await session.ask("two")
        await others[0].stream.aclose()
        await moved(session, 3)
        again = await session.ask("three")

    assert (answer, again) == ("answer 1", "answer 1")
    assert len(peers) == 1
    assert [each.received[0]["session"] for each in others] == [{"type": "realtime", "instructions": "Be brief"}] * 2
    assert told(others[0])[:2] == [("user", "one"), ("assistant", "answer 1")]
    assert kinds(peers[0])[-1] == "session.update"
    assert [role for role, _ in conversation(session)] == ["user", "assistant"] * 3


async def test_an_endpoint_that_refuses_leaves_the_session_where_it_is() -> None:
    """Whoever asks learns why, once and at once; the session goes on, and may be asked again."""
    async with (
        serving(attentive, door=lambda _: refusal(503)) as (port, _),
        serving(attentive) as (good, others),
        session_with(attentive) as (session, peers, _),
    ):
        with pytest.raises(RunnerError, match="503"):
            await renew(session.carriage, persistent(port), {"type": "realtime"})
        first = await session.ask("one")
        await renew(session.carriage, persistent(good), {"type": "realtime"})
        second = await session.ask("two")

    assert (first, second, len(peers), len(others)) == ("answer 1", "answer 1", 1, 1)


async def test_settings_hold_at_once_and_two_changes_do_not_mix() -> None:
    """Without a connection of its own a change is there when it is asked for; one at a time may move a session."""
    never: dict[str, Any] = {"reconnect": {"max_attempts": 0}}

    is_over = anyio.Event()

    async def shy(peer: Peer) -> None:
        await is_over.wait()
        await peer.stream.aclose()

    async with serving(shy) as (port, _), session_with(in_turn(attentive)) as (session, peers, _):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(renew, session.carriage, persistent(port), {"type": "realtime"})
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(IllegalEvent, match="already"):
                await renew(session.carriage, persistent(port))
            tasks.cancel_scope.cancel()
        is_over.set()
        assert await session.ask("one") == "answer 1"
        await renew(session.carriage, persistent(port, **never))
        await peers[0].stream.aclose()
        await session.wait_over()
        with pytest.raises(RunnerError):
            await renew(session.carriage, persistent(port))

    assert session.failure is not None


async def test_a_lost_session_comes_back_by_the_profile_that_it_is_to_go_by() -> None:
    """Where the endpoint is away, another one can be named without a restart."""

    async def short(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.stream.aclose()

    async with serving(attentive) as (port, others):
        is_first = [True]

        def door(_: Any) -> Any:
            return None if is_first and is_first.pop() else refusal(503)

        async with (
            session_with(short, door=door, reconnect={"max_attempts": 1000}) as (session, _, _),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(session.ask, "one")
            while session.link is not None:
                await session.changes.next()
            await renew(session.carriage, persistent(port), {"type": "realtime"})

    assert told(others[0]) == [("user", "one")]
