"""Budgets of a session: what they count, when they warn, and when they are spent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from pydantic import ValidationError
from trio.testing import MockClock

from runner.errors import EndpointBusy, RunnerError
from runner.profile.session_source import SessionProfile
from runner.protocol.effects import AudioDelta, Effect, ResponseEnded, ResponseStarted, TextDelta, TurnEnded
from runner.protocol.usage import Usage
from runner.runs.budget import Budget
from runner.session.carriage import Carriage
from runner.session.providers import Providers
from runner.session.update import Update
from runner.settings.limits import Limits
from runner.settings.prices import Prices
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.log_capture import captured_log

BUSY = EndpointBusy("too many requests")
COMPLETED = ResponseEnded("r", "completed")
CANCELLED = ResponseEnded("r", "cancelled")
INCOMPLETE = ResponseEnded("r", "incomplete", "max_output_tokens")
FAILED = ResponseEnded("r", "failed", error=BUSY)
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def update(*effects: Effect, kind: Any = "response.done") -> Update:
    """What the pump hands to its readers."""
    return Update({"type": kind}, effects, 0.0, 10)


pytestmark = pytest.mark.anyio
virtual_time = pytest.mark.parametrize("anyio_backend", ["virtual"], indirect=True)
"""The test's clock jumps ahead whenever every task waits, so nothing takes time and every time is exact."""


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str | tuple[str, dict[str, Any]]:
    """Trio with a clock of its own for virtual time, else asyncio: only the clock can make a difference here."""
    if getattr(request, "param", "") == "virtual":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio"


class Spending:
    """A budget with the limits that it has reported as spent, in order."""

    def __init__(self, usage: Usage | None = None, **limits: Any) -> None:
        self.ends: list[tuple[str, RunnerError | None]] = []
        self.times_s: list[float] = []
        carriage = Carriage(anyio.current_time())
        tables = {"version": 1, "endpoint": {"kind": "local"}, "run": {"limits": limits}}
        carriage.go_by(Providers(SessionProfile(Profile.model_validate(tables), "p")))
        carriage.spending.begin("p", Usage())
        self.usage = carriage.state.usage = usage or Usage()
        self.began_s = anyio.current_time()
        self.budget = Budget(Limits(**limits), carriage, spent=self._spent)
        self._ended = anyio.Event()

    def _spent(self, reason: str, error: RunnerError | None) -> None:
        self.ends.append((reason, error))
        self.times_s.append(round(anyio.current_time() - self.began_s, 3))
        self._ended.set()

    async def end(self) -> None:
        """Wait for the next limit that is spent."""
        with anyio.fail_after(PATIENCE_S):
            await self._ended.wait()
        self._ended = anyio.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """The budget watches the clock while the body runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.budget.watch)
            await anyio.wait_all_tasks_blocked()
            yield
            tasks.cancel_scope.cancel()


async def test_turns_are_completed_responses() -> None:
    """What was cancelled or failed is no turn; at 80 % there is one warning."""
    spending = Spending(max_turns=5)

    with captured_log() as lines:
        for each in (COMPLETED, CANCELLED, FAILED, INCOMPLETE, *[COMPLETED] * 5):
            spending.budget.take(update(each))

    assert spending.ends == [("max_turns", None)]
    assert lines == [
        {"event": "limit_near", "log_level": "warning", "name": "max_turns", "spent": 4, "limit": 5},
        {"event": "limit_reached", "log_level": "warning", "name": "max_turns", "spent": 5, "limit": 5},
    ]


async def test_errors_count_in_a_row() -> None:
    """A success between them starts anew; the last one says how the run ends."""
    spending = Spending(max_consecutive_errors=3)
    refused = ResponseEnded("", "refused", error=RunnerError("the first of them"))
    for each in (FAILED, FAILED, COMPLETED, refused, CANCELLED, INCOMPLETE, FAILED):
        spending.budget.take(update(each))
    assert spending.ends == []

    spending.budget.take(update(FAILED))
    spending.budget.take(update(FAILED))

    assert spending.ends == [("max_consecutive_errors", BUSY)]


@pytest.mark.parametrize(
    ("key", "limit", "near", "enough"),
    [
        ("max_input_tokens", 100, {"input_tokens": 70, "transcription_input_tokens": 10}, {"input_tokens": 20}),
        ("max_output_tokens", 100, {"output_tokens": 70, "transcription_output_tokens": 10}, {"output_tokens": 20}),
        (
            "max_audio_tokens",
            100,
            {"input_audio_tokens": 40, "output_audio_tokens": 30, "transcription_audio_tokens": 20},
            {"output_audio_tokens": 20},
        ),
        ("max_cached_tokens", 100, {"cached_tokens": 99}, {"cached_tokens": 1}),
        ("max_cost", 0.5, {"output_text_tokens": 49_999}, {"output_text_tokens": 10}),
    ],
)
@pytest.mark.parametrize("event", [update(COMPLETED), update(kind=TRANSCRIBED)], ids=["response", "transcription"])
async def test_what_was_used_is_looked_at_when_it_grows(
    key: str, limit: Any, near: dict[str, int], enough: dict[str, int], event: Update
) -> None:
    """With every response and every transcription; once near and once spent."""
    spending = Spending(**{key: limit}, prices=Prices(output_text=10))
    with captured_log() as lines:
        for growth in ({}, near, {}, enough, enough):
            for name, amount in growth.items():
                setattr(spending.usage, name, getattr(spending.usage, name) + amount)
            spending.budget.take(event)

    assert spending.ends == [(key, None)]
    assert [(line["event"], line["name"]) for line in lines] == [("limit_near", key), ("limit_reached", key)]


async def test_what_was_used_before_counts() -> None:
    """A budget is over all connections."""
    spending = Spending(Usage(output_tokens=10), max_output_tokens=10)

    async with spending.watching():
        assert spending.ends == [("max_output_tokens", None)]


async def test_nothing_is_counted_without_limits_or_prices() -> None:
    """No limit, no word; nothing in an event can break the reader."""
    spending = Spending(Usage(input_text_tokens=1 << 60), max_cost=0.01)

    with captured_log() as lines:
        kinds: list[Any] = ["response.done", TRANSCRIBED, None, [], {}, 7]
        for kind in kinds:
            spending.budget.take(update(COMPLETED, FAILED, kind=kind))
        spending.budget.take(Update(None, [COMPLETED], 0.0, 0))

    assert (spending.ends, lines) == ([], [])


@virtual_time
async def test_a_session_lasts_no_longer_than_it_may() -> None:
    """Whatever goes on in it, it ends once, and the warning comes at 80 %."""
    spending = Spending(max_duration_s=1.5)
    with captured_log() as lines:
        async with spending.watching():
            await spending.end()
            await anyio.sleep(10)

    assert (spending.ends, spending.times_s) == ([("max_duration_s", None)], [1.5])
    assert lines == [
        {"event": "limit_near", "log_level": "warning", "name": "max_duration_s", "spent": 1.2, "limit": 1.5},
        {"event": "limit_reached", "log_level": "warning", "name": "max_duration_s", "spent": 1.5, "limit": 1.5},
    ]


@pytest.mark.parametrize(
    "activity",
    [
        update(ResponseStarted("r")),
        update(COMPLETED),
        update(TextDelta("r", "i", "x")),
        update(AudioDelta("r", "i", "AAAA")),
        update(TurnEnded("user", "x", "i", "completed")),
        update(kind="input_audio_buffer.speech_started"),
        update(kind="input_audio_buffer.speech_stopped"),
        update(kind="input_audio_buffer.committed"),
    ],
    ids=lambda each: type(each.effects[0]).__name__ if each.effects else each.event["type"],
)
@virtual_time
async def test_all_that_is_said_or_answered_is_activity(activity: Update) -> None:
    """From either side, in text or by voice, it puts the end of an idle session off, and no other end."""
    spending = Spending(max_idle_s=1, max_duration_s=1.2)
    async with spending.watching():
        await anyio.sleep(0.5)
        spending.budget.take(activity)
        await spending.end()
        await spending.end()

    assert spending.ends == [("max_duration_s", None), ("max_idle_s", None)]
    assert spending.times_s == [1.2, 1.5]


@virtual_time
async def test_a_user_who_speaks_is_not_idle() -> None:
    """Each word puts the end off; silence brings it."""
    spending = Spending(max_idle_s=1)
    async with spending.watching():
        for _ in range(15):
            await anyio.sleep(0.1)
            spending.budget.take(update(TextDelta("r", "i", "x")))
        await spending.end()

    assert (spending.ends, spending.times_s) == ([("max_idle_s", None)], [2.5])


@virtual_time
async def test_events_that_say_nothing_are_no_activity() -> None:
    """Rate limits, configurations and the like are no conversation."""
    spending = Spending(max_idle_s=0.6)
    async with spending.watching():
        for _ in range(10):
            spending.budget.take(update(kind="rate_limits.updated"))
            await anyio.sleep(0.1)

    assert (spending.ends, spending.times_s) == ([("max_idle_s", None)], [0.6])


@pytest.mark.parametrize("anyio_backend", ["virtual", "real"], indirect=True)
async def test_both_clocks_run_and_each_is_reported_once() -> None:
    """One that has run out does not keep the other from doing so, in virtual time or in asyncio's."""
    spending = Spending(max_idle_s=0.1, max_duration_s=0.3)
    with captured_log() as lines:
        async with spending.watching():
            await spending.end()
            assert spending.ends == [("max_idle_s", None)]
            await spending.end()
            await anyio.sleep(0.1)

    assert spending.ends == [("max_idle_s", None), ("max_duration_s", None)]
    assert spending.times_s[0] >= 0.1
    assert spending.times_s[1] >= 0.3
    assert sum(line["event"] == "limit_reached" for line in lines) == 2


async def test_a_budget_without_clocks_sleeps_until_it_is_cancelled() -> None:
    """And goes at once."""
    spending = Spending(max_turns=1)
    with anyio.fail_after(PATIENCE_S):
        async with spending.watching():
            spending.budget.take(update(COMPLETED))

    assert spending.ends == [("max_turns", None)]


@pytest.mark.parametrize("endless", [float("inf"), float("nan"), 0, -1, 1e12])
@pytest.mark.parametrize("key", ["max_duration_s", "max_idle_s"])
def test_a_clock_has_an_end(key: str, endless: Any) -> None:
    """Leaving a limit out is the way to have none."""
    with pytest.raises(ValidationError):
        Limits(**{key: endless})
