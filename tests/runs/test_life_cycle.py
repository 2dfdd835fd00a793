"""The life cycle of a run by itself: which phase ends when."""

import signal
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from runner.runs.life_cycle import LifeCycle, Phase

pytestmark = pytest.mark.anyio
WORKING = [Phase.OPENING, Phase.LIVE, Phase.DRAINING, Phase.FLUSHING]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str | tuple[str, dict[str, Any]]:
    """Both event loops; trio's clock jumps ahead whenever every task waits."""
    return ("trio", {"clock": MockClock(autojump_threshold=0)}) if request.param == "trio" else "asyncio"


async def ended_by(act: Callable[[LifeCycle], None], during: Phase, *, grace_s: float = 1000) -> set[Phase]:
    """Act during a phase; returns which phases were cut short, where each phase would take a tenth of a second.

    As in a run, the scope of the opening encloses live and draining.
    """
    life = LifeCycle(grace_s=grace_s, report=lambda *_: None)
    cut: set[Phase] = set()

    async def work(phase: Phase) -> None:
        if phase is during:
            act(life)
        await anyio.sleep(0.1)

    with life.enter(Phase.OPENING) as opening:
        await work(Phase.OPENING)
        for phase in (Phase.LIVE, Phase.DRAINING):
            with life.enter(phase) as scope:
                await work(phase)
            if scope.cancelled_caught:
                cut.add(phase)
    if opening.cancelled_caught:
        cut.add(Phase.OPENING)
    with life.enter(Phase.FLUSHING) as flushing:
        await work(Phase.FLUSHING)
    return cut | ({Phase.FLUSHING} if flushing.cancelled_caught else set())


@pytest.mark.parametrize(
    ("during", "cut"),
    [
        (Phase.OPENING, {Phase.OPENING}),
        (Phase.LIVE, {Phase.LIVE}),
        (Phase.DRAINING, set()),
        (Phase.FLUSHING, set()),
    ],
)
async def test_a_reason_to_end_gives_up_opening_or_ends_live(during: Phase, cut: set[Phase]) -> None:
    """What comes after has its time, and a later reason changes nothing."""
    assert await ended_by(LifeCycle.stop, during) == cut


@pytest.mark.parametrize("during", WORKING)
async def test_a_second_signal_ends_all_that_is_left(during: Phase) -> None:
    """The phase that runs and those to come; a session that is being opened has no other phase than flushing."""
    left = {each for each in WORKING if each >= during}
    if during is Phase.OPENING:
        left = {Phase.OPENING, Phase.FLUSHING}

    assert await ended_by(lambda life: life.force(signal.SIGTERM), during) == left


@pytest.mark.parametrize(("grace_s", "cut"), [(1000, {Phase.LIVE}), (0, {Phase.LIVE, Phase.DRAINING})])
async def test_the_grace_period_ends_a_drain_and_no_flush(grace_s: float, cut: set[Phase]) -> None:
    """It begins with the first signal."""

    def take(life: LifeCycle) -> None:
        life.begin_grace(signal.SIGINT)
        life.stop()

    assert await ended_by(take, Phase.LIVE, grace_s=grace_s) == cut


async def test_grace_is_counted_from_the_signal() -> None:
    """Without a signal it would begin now, and its end cuts nothing."""
    life = LifeCycle(grace_s=5, report=lambda *_: None)
    assert life.grace_ends_s >= anyio.current_time() + 4

    life.begin_grace(signal.SIGTERM)
    ends_s = life.grace_ends_s
    await anyio.sleep(0.01)

    assert life.grace_ends_s == ends_s


async def test_the_signal_that_forces_is_the_second_or_the_one_whose_grace_is_over() -> None:
    """The exit code follows from it."""
    expired, forced = (LifeCycle(grace_s=5, report=lambda *_: None) for _ in range(2))
    for each in (expired, forced):
        each.begin_grace(signal.SIGINT)
    forced.force(signal.SIGTERM)
    for each in (expired, forced):
        each.expire()

    assert (expired.forced_by, forced.forced_by) == (signal.SIGINT, signal.SIGTERM)


async def test_each_change_of_phase_is_reported() -> None:
    """With the phase before and the phase after."""
    reports: list[tuple[Phase, Phase]] = []
    life = LifeCycle(grace_s=5, report=lambda *change: reports.append(change))
    life.enter(Phase.LIVE)
    life.enter(Phase.ENDED)

    assert reports == [(Phase.OPENING, Phase.LIVE), (Phase.LIVE, Phase.ENDED)]
