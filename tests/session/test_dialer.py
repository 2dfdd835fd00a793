"""The dialer alone: real connections to the local endpoint in this process, or to a port where nothing listens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner.errors import EndpointUnreachable, SessionRefused
from runner.profile.session_source import SessionProfile
from runner.session.carriage import Carriage
from runner.session.dialer import Dialer
from runner.session.link import Link
from runner.session.providers import Providers
from runner.settings.profile import Profile
from runner.task_groups import body_task_group
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.peer import profile_for

pytestmark = pytest.mark.anyio


def ignore(_link: Link) -> None:
    """Learn that a connection has ended."""


def local(endpoint: dict[str, Any] | None = None, **tables: Any) -> Profile:
    """A profile of the local endpoint."""
    return Profile.model_validate({"version": 1, "endpoint": {"kind": "local", **(endpoint or {})}, **tables})


@asynccontextmanager
async def dialing(profile: Profile, slots: anyio.Semaphore | None = None) -> AsyncIterator[tuple[Dialer, Carriage]]:
    """A dialer, and where the session is that it opens connections for."""
    carriage = Carriage(anyio.current_time())
    async with body_task_group() as tasks:
        yield Dialer(Providers(SessionProfile(profile)), carriage, tasks, slots=slots), carriage


async def test_a_connection_is_configured_when_it_is_handed_over() -> None:
    """The readers of a first connection have heard of it from its beginning."""
    seen: list[str] = []
    async with dialing(local(session={"instructions": "Be brief."})) as (dialer, carriage):
        carriage.add_reader(lambda update: seen.append(update.event["type"] if update.event else ""))
        link = await dialer.open(ignore)

        assert link.state.phase == "ready"
        assert link.state.effective["instructions"] == "Be brief."
        assert seen == ["session.created", "session.updated"]


async def test_connections_are_numbered_and_know_the_conversation() -> None:
    """The second is told of what was said on the first before it is handed over."""
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    async with dialing(local()) as (dialer, carriage):
        carriage.carry(await dialer.open(ignore))
        carriage.state.conversation.put({**item, "status": "completed"})
        link = await dialer.open(ignore)

        assert (carriage.epoch, link.epoch) == (1, 2)
        assert link.replayed_items == 1


async def test_a_released_connection_is_closed() -> None:
    """Each connection has a task of its own, which ends it."""
    over = anyio.Event()
    async with dialing(local()) as (dialer, _):
        link = await dialer.open(lambda _link: over.set())
        link.release()
        with anyio.fail_after(PATIENCE_S):
            await over.wait()

        assert link.pump.is_over


async def test_attempts_are_made_as_often_as_the_profile_allows() -> None:
    """Then what stood in the way is raised."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django
    delays = {"max_attempts": 2, "initial_delay_s": 0.01, "max_delay_s": 0.01}
    async with dialing(profile_for(port, run={"reconnect": delays})) as (dialer, _):
        with pytest.raises(EndpointUnreachable, match=str(port)):
            await dialer.open(ignore)

        assert dialer.providers.current.backoff.attempt == 2


async def test_an_attempt_waits_for_a_slot() -> None:
    """So that many sessions do not connect at once."""
    slots = anyio.Semaphore(1)
    async with dialing(local(), slots) as (dialer, _):
        await slots.acquire()
        with anyio.move_on_after(0.05) as waiting:
            await dialer.open(ignore)
        assert waiting.cancelled_caught

        slots.release()
        await dialer.open(ignore)

        assert slots.value == 1


async def test_a_drifted_configuration_is_refused_where_the_profile_says_so() -> None:
    """The settings that drifted are named."""
    drifting = {"faults": [{"kind": "drift", "settings": {"instructions": "Be long."}}]}
    profile = local(drifting, session={"instructions": "Be brief."}, run={"on_drift": "fail"})
    async with dialing(profile) as (dialer, _):
        with pytest.raises(SessionRefused, match="asks for: instructions"):
            await dialer.open(ignore)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (RecursionError("maximum recursion depth exceeded"), "RecursionError: maximum recursion"),
        (OverflowError(), "OverflowError: OverflowError"),
        (UnicodeError("label too long"), "UnicodeError: label too long"),
        (ExceptionGroup("tasks", [ValueError("one"), KeyError("two")]), "ValueError: one"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
async def test_whatever_an_attempt_raises_is_a_failed_attempt(
    raised: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, tried again, and given up with what stood in the way."""
    attempts: list[Profile] = []

    async def fail(profile: Profile) -> dict[str, str]:
        attempts.append(profile)
        raise raised

    monkeypatch.setattr("runner.session.connector.credential_headers", fail)
    delays = {"max_attempts": 2, "initial_delay_s": 0.01, "max_delay_s": 0.01}
    async with dialing(profile_for(9, run={"reconnect": delays})) as (dialer, _):
        with pytest.raises(EndpointUnreachable, match="the attempt to connect failed: ") as caught:
            await dialer.open(ignore)

    assert words in str(caught.value)
    assert len(attempts) == 3
