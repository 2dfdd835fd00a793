"""The budget of a session: a warning when most of a limit is spent, and an end when all of it is."""

import math
from collections.abc import Callable
from typing import Literal

import anyio

from runner import logs
from runner.connect.changes import Changes
from runner.errors import RunnerError
from runner.protocol.effects import (
    AudioDelta,
    FunctionAnswered,
    FunctionCalled,
    ResponseEnded,
    ResponseStarted,
    SpeechStarted,
    TextDelta,
    TurnEnded,
)
from runner.session.carriage import Carriage
from runner.session.update import Update
from runner.settings.limits import Limits

_NEAR = 0.8
_LEAST_WAIT_S = 1e-6
_ACTS = frozenset(
    {ResponseStarted, ResponseEnded, SpeechStarted, TextDelta, AudioDelta, TurnEnded, FunctionCalled, FunctionAnswered}
)
_SPEECH = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
)
_SPENDING = (
    "conversation.item.input_audio_transcription.completed",
    "session.usage.updated",
    "session.closed",
)
"""The events that say what was used beside responses."""

Clock = Literal["max_duration_s", "max_idle_s"]
_CLOCKS: tuple[Clock, ...] = ("max_duration_s", "max_idle_s")


class Budget:
    """The limits of one session over all its connections; its time begins when it is made.

    Args:
        limits: What the session may spend.
        carriage: Knows what the session has used and what that costs, and what was counted of it, which is counted on.
        spent: Called once for each limit that is reached, with its key in the profile and, where errors are what was
            counted, the last one; it must not wait.
        since_s: When the session began that is limited from now on, on the event loop's clock, in seconds; None where
            it begins now.
    """

    def __init__(
        self,
        limits: Limits,
        carriage: Carriage,
        *,
        spent: Callable[[str, RunnerError | None], None],
        since_s: float | None = None,
    ) -> None:
        state = carriage.state
        self._usage = state.usage
        self._cost = carriage.cost
        self._limits = limits
        self._spent = spent
        self._counts = state.counts
        self._near: set[str] = set()
        self._reached: set[str] = set()
        now_s = anyio.current_time()
        lived_since_s = (now_s if since_s is None else since_s) - state.counts.lived_s
        self._since_s: dict[Clock, float] = {"max_duration_s": lived_since_s, "max_idle_s": now_s}
        if since_s is not None:
            state.counts.turns = state.usage.responses
        self._changes = Changes()

    def take(self, update: Update) -> None:
        """Count what an update spends; it never waits."""
        kind = update.event.get("type") if update.event else None
        acts, spends = kind in _SPEECH, kind in _SPENDING
        for effect in update.effects:
            acts = acts or type(effect) in _ACTS
            if isinstance(effect, ResponseEnded):
                self._count(effect)
                spends = True
            elif isinstance(effect, FunctionCalled):
                self._counts.calls += 1
                self._check("max_tool_calls", self._counts.calls)
        if acts:
            self._since_s["max_idle_s"] = anyio.current_time()
        if spends:
            self._check_usage()

    def renew(self, limits: Limits) -> None:
        """Check other limits from now on, against all that was spent before."""
        self._limits = limits
        self._near.clear()
        self._reached.clear()
        self._changes.notify()

    async def watch(self) -> None:
        """Check the limits of time, and at first what was used before, until cancelled."""
        self._check("max_turns", self._counts.turns)
        self._check("max_tool_calls", self._counts.calls)
        self._check_usage()
        while True:
            now_s = anyio.current_time()
            for clock in _CLOCKS:
                self._check(clock, now_s - self._since_s[clock])
            waits = [self._deadline_s(clock) for clock in _CLOCKS if self._runs(clock)]
            # By rounding a deadline can be there while the time spent is not: the clock has to go on in any case.
            left_s = max(_LEAST_WAIT_S, min(waits) - anyio.current_time()) if waits else math.inf
            with anyio.move_on_after(left_s):
                await self._changes.next()
                self._check_usage()

    def _runs(self, clock: Clock) -> bool:
        return getattr(self._limits, clock) is not None and clock not in self._reached

    def _deadline_s(self, clock: Clock) -> float:
        limit_s: float = getattr(self._limits, clock)
        return self._since_s[clock] + (limit_s if clock in self._near else limit_s * _NEAR)

    def _count(self, ended: ResponseEnded) -> None:
        if ended.is_step:
            return
        if ended.status == "completed":
            self._counts.turns += 1
            self._counts.errors = 0
            self._check("max_turns", self._counts.turns)
        elif ended.status in {"failed", "refused"}:
            self._counts.errors += 1
            self._check("max_consecutive_errors", self._counts.errors, ended.error)

    def _check_usage(self) -> None:
        used = self._usage
        self._check("max_input_tokens", used.input_tokens + used.transcription_input_tokens)
        self._check("max_output_tokens", used.output_tokens + used.transcription_output_tokens)
        self._check("max_audio_tokens", used.audio_tokens)
        self._check("max_cached_tokens", used.cached_tokens)
        if self._limits.max_cost is not None:
            self._check("max_cost", self._cost() or 0.0)

    def _check(self, key: str, spent: float, error: RunnerError | None = None) -> None:
        limit: float | None = getattr(self._limits, key)
        if limit is None or key in self._reached or spent < limit * _NEAR:
            return
        if spent >= limit:
            self._reached.add(key)
            logs.logger().warning("limit_reached", name=key, spent=round(spent, 6), limit=limit)
            self._spent(key, error)
        elif key not in self._near:
            self._near.add(key)
            logs.logger().warning("limit_near", name=key, spent=round(spent, 6), limit=limit)
