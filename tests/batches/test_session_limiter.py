"""How fast sessions begin, in virtual time."""

import anyio

from runner.batches.session_limiter import LocalLimiter
from runner.settings.batch_settings import BatchSettings
from tests.helpers.virtual_time import in_virtual_time


async def begun_at_s(settings: BatchSettings, *, sessions: int, lasts_s: float, tokens: int) -> list[float]:
    """When so many sessions begin that are all ready at once, in seconds."""
    limiter, started_s, begun = LocalLimiter(settings), anyio.current_time(), list[float]()

    async def hold() -> None:
        await limiter.begin()
        begun.append(round(anyio.current_time() - started_s, 3))
        await anyio.sleep(lasts_s)
        await limiter.end(tokens)

    async with anyio.create_task_group() as tasks:
        for _ in range(sessions):
            tasks.start_soon(hold)
    return begun


def test_sessions_begin_at_even_distances() -> None:
    """No minute has more of them than allowed, however many are ready."""
    settings = BatchSettings(max_sessions_per_minute=30)

    begun = in_virtual_time(begun_at_s, settings, sessions=90, lasts_s=1.0, tokens=0)

    assert begun == [2.0 * number for number in range(90)]


def test_tokens_are_those_of_the_last_minute() -> None:
    """The first sessions say what one takes; then so many begin as fit, and the rest when a minute is over."""
    settings = BatchSettings(max_sessions_per_minute=60, max_tokens_per_minute=1000)

    begun = in_virtual_time(begun_at_s, settings, sessions=12, lasts_s=0.5, tokens=250)

    assert begun == [0.0, 1.0, 2.0, 3.0, 60.5, 61.5, 62.5, 63.5, 121.0, 122.0, 123.0, 124.0]


def test_a_session_that_takes_more_than_a_minute_may_is_not_kept_for_ever() -> None:
    """It begins when nothing else runs, and nothing was used for a minute."""
    settings = BatchSettings(max_tokens_per_minute=100)

    begun = in_virtual_time(begun_at_s, settings, sessions=2, lasts_s=1.0, tokens=500)

    assert begun == [0.0, 0.0]


def test_nothing_is_waited_for_without_rates() -> None:
    """All begin at once."""
    assert set(in_virtual_time(begun_at_s, BatchSettings(), sessions=50, lasts_s=1.0, tokens=9)) == {0.0}
