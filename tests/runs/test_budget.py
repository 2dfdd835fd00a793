"""Budgets of a session: what they count, when they warn, and when they are spent."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from runner.errors import EndpointBusy, RunnerError
from runner.protocol.effects import AudioDelta, Effect, ResponseEnded, ResponseStarted, TextDelta, TurnEnded
from runner.protocol.usage import Usage
from runner.runs.budget import Budget
from runner.session.update import Update
from runner.settings.limits import Limits, Prices
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


class Told:
    """A budget, and the ends that it told."""

    def __init__(self, **limits: Any) -> None:
        self.ends: list[tuple[str, RunnerError | None]] = []
        self.ended = anyio.Event()
        self.budget = Budget(Limits(**limits), spent=self._spent)

    def _spent(self, reason: str, error: RunnerError | None) -> None:
        self.ends.append((reason, error))
        self.ended.set()

    @asynccontextmanager
    async def watching(self, usage: Usage | None = None) -> AsyncIterator[None]:
        """The clock runs while the body does."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.budget.watch, usage or Usage())
            await anyio.wait_all_tasks_blocked()
            yield
            tasks.cancel_scope.cancel()


def test_turns_are_completed_responses() -> None:
    """What was cancelled or failed is no turn; at 80 % there is one warning."""
    told = Told(max_turns=5)

    with captured_log() as lines:
        for each in (COMPLETED, CANCELLED, FAILED, INCOMPLETE, *[COMPLETED] * 5):
            told.budget.take(update(each))

    assert told.ends == [("max_turns", None)]
    assert lines == [
        {"event": "limit_near", "log_level": "warning", "name": "max_turns", "spent": 4, "limit": 5},
        {"event": "limit_reached", "log_level": "warning", "name": "max_turns", "spent": 5, "limit": 5},
    ]


def test_errors_count_in_a_row() -> None:
    """A success between them starts anew; the last one says how the run ends."""
    told = Told(max_consecutive_errors=3)
    refused = ResponseEnded("", "refused", error=RunnerError("the first of them"))
    for each in (FAILED, FAILED, COMPLETED, refused, CANCELLED, INCOMPLETE, FAILED):
        told.budget.take(update(each))
    assert told.ends == []

    told.budget.take(update(FAILED))
    told.budget.take(update(FAILED))

    assert told.ends == [("max_consecutive_errors", BUSY)]


@pytest.mark.anyio
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
    key: str, limit: float, near: dict[str, int], enough: dict[str, int], event: Update
) -> None:
    """With every response and every transcription; once near and once spent."""
    told = Told(**{key: limit}, prices=Prices(output_text=10))
    usage = Usage()
    with captured_log() as lines:
        async with told.watching(usage):
            for growth in ({}, near, {}, enough, enough):
                for name, amount in growth.items():
                    setattr(usage, name, getattr(usage, name) + amount)
                told.budget.take(event)

    assert told.ends == [(key, None)]
    assert [(line["event"], line["name"]) for line in lines] == [("limit_near", key), ("limit_reached", key)]


@pytest.mark.anyio
async def test_what_was_used_before_counts() -> None:
    """A budget is over all connections."""
    told = Told(max_output_tokens=10)

    async with told.watching(Usage(output_tokens=10)):
        assert told.ends == [("max_output_tokens", None)]


def test_nothing_is_counted_without_limits_or_prices() -> None:
    """No limit, no word; nothing in an event can break the reader."""
    told = Told(max_cost=0.01)
    told.budget.usage = Usage(input_text_tokens=1 << 60)

    with captured_log() as lines:
        kinds: list[Any] = ["response.done", TRANSCRIBED, None, [], {}, 7]
        for kind in kinds:
            told.budget.take(update(COMPLETED, FAILED, kind=kind))
        told.budget.take(Update(None, [COMPLETED], 0.0, 0))

    assert (told.ends, lines) == ([], [])


@pytest.mark.anyio
async def test_a_session_lasts_no_longer_than_it_may() -> None:
    """Whatever goes on in it; the warning comes first."""
    told = Told(max_duration_s=1.5)
    began_s = time.monotonic()
    with captured_log() as lines, anyio.fail_after(10):
        async with told.watching():
            await told.ended.wait()
            lasted_s = time.monotonic() - began_s
            await anyio.sleep(0.2)

    assert lasted_s >= 1.45
    assert told.ends == [("max_duration_s", None)]
    near, reached = lines
    assert (near["event"], near["name"], near["limit"]) == ("limit_near", "max_duration_s", 1.5)
    assert reached["event"] == "limit_reached"
    assert 1.2 <= near["spent"] < reached["spent"]


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
def test_all_that_is_said_or_answered_is_activity(activity: Update) -> None:
    """From either side, in text or by voice; the session grows older all the same."""
    budget = Told(max_idle_s=1).budget
    began_s = budget._since_s["max_idle_s"]
    time.sleep(0.001)
    budget.take(update(kind="rate_limits.updated"))
    assert budget._since_s == {"max_idle_s": began_s, "max_duration_s": began_s}

    budget.take(activity)

    assert budget._since_s["max_duration_s"] == began_s < budget._since_s["max_idle_s"]


@pytest.mark.anyio
async def test_who_speaks_is_not_idle() -> None:
    """Each word puts the end off; silence brings it."""
    told = Told(max_idle_s=1)
    with anyio.fail_after(20):
        async with told.watching():
            for _ in range(15):
                await anyio.sleep(0.1)
                told.budget.take(update(TextDelta("r", "i", "x")))
            assert told.ends == []
            silent_s = time.monotonic()
            await told.ended.wait()

    assert time.monotonic() - silent_s >= 0.95
    assert told.ends == [("max_idle_s", None)]


@pytest.mark.anyio
async def test_what_nobody_says_keeps_nobody_awake() -> None:
    """Rate limits, configurations and the like are no conversation."""
    told = Told(max_idle_s=0.6)
    with anyio.fail_after(20):
        async with told.watching():
            while not told.ended.is_set():
                told.budget.take(update(kind="rate_limits.updated"))
                await anyio.sleep(0.1)

    assert told.ends == [("max_idle_s", None)]


@pytest.mark.anyio
async def test_both_clocks_run_and_each_is_told_once() -> None:
    """One that has run out does not keep the other from doing so."""
    told = Told(max_idle_s=0.2, max_duration_s=1.0)
    with captured_log() as lines, anyio.fail_after(20):
        async with told.watching():
            await told.ended.wait()
            told.ended = anyio.Event()
            assert told.ends == [("max_idle_s", None)]
            await told.ended.wait()
            await anyio.sleep(0.3)

    assert told.ends == [("max_idle_s", None), ("max_duration_s", None)]
    assert sum(line["event"] == "limit_reached" for line in lines) == 2


@pytest.mark.anyio
async def test_a_budget_without_clocks_sleeps_until_it_is_cancelled() -> None:
    """And goes at once."""
    told = Told(max_turns=1)
    with anyio.fail_after(5):
        async with told.watching():
            told.budget.take(update(COMPLETED))

    assert told.ends == [("max_turns", None)]


@pytest.mark.parametrize("endless", [float("inf"), float("nan"), 0, -1, 1e12])
@pytest.mark.parametrize("key", ["max_duration_s", "max_idle_s"])
def test_a_clock_has_an_end(key: str, endless: float) -> None:
    """Leaving a limit out is the way to have none."""
    with pytest.raises(ValidationError):
        Told(**{key: endless})
