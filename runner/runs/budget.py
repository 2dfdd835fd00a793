"""What a session may spend: a warning when most of it is gone, and a word when all of it is."""

from collections.abc import Callable
from time import monotonic
from typing import Literal

import anyio

from runner import logs
from runner.errors import RunnerError
from runner.protocol.effects import AudioDelta, ResponseEnded, ResponseStarted, TextDelta, TurnEnded
from runner.protocol.usage import Usage
from runner.session.update import Update
from runner.settings.limits import Limits

_NEAR = 0.8
_ACTS = frozenset({ResponseStarted, ResponseEnded, TextDelta, AudioDelta, TurnEnded})
_SPEECH = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
)
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"

Clock = Literal["max_duration_s", "max_idle_s"]
_CLOCKS: tuple[Clock, ...] = ("max_duration_s", "max_idle_s")


class Budget:
    """The limits of one session over all its connections.

    Args:
        limits: What may be spent.
        spent: Called once for each limit that is reached, with its key in the profile and, where errors are what was
            counted, the last one; it must not wait.

    Attributes:
        usage: What the session has used.
    """

    def __init__(self, limits: Limits, *, spent: Callable[[str, RunnerError | None], None]) -> None:
        self.usage = Usage()
        self._limits = limits
        self._spent = spent
        self._turns = 0
        self._errors = 0
        self._near: set[str] = set()
        self._reached: set[str] = set()
        self._since_s: dict[Clock, float] = dict.fromkeys(_CLOCKS, monotonic())

    def take(self, update: Update) -> None:
        """Count what an update spends; a reader of the pump, which never waits."""
        kind = update.event.get("type") if update.event else None
        acts, spends = kind in _SPEECH, kind == _TRANSCRIBED
        for effect in update.effects:
            acts = acts or type(effect) in _ACTS
            if isinstance(effect, ResponseEnded):
                self._count(effect)
                spends = True
        if acts:
            self._since_s["max_idle_s"] = monotonic()
        if spends:
            self._check_usage()

    async def watch(self, session_usage: Usage) -> None:
        """Watch the clock until cancelled; the session's time begins now.

        Args:
            session_usage: What the session uses, kept up to date by whoever takes in its events.
        """
        self.usage = session_usage
        self._since_s = dict.fromkeys(_CLOCKS, monotonic())
        self._check_usage()
        while True:
            now_s = monotonic()
            for clock in _CLOCKS:
                self._check(clock, now_s - self._since_s[clock])
            waits = [self._deadline_s(clock) for clock in _CLOCKS if self._runs(clock)]
            if not waits:
                await anyio.sleep_forever()
            await anyio.sleep(max(0.0, min(waits) - monotonic()))

    def _runs(self, clock: Clock) -> bool:
        return getattr(self._limits, clock) is not None and clock not in self._reached

    def _deadline_s(self, clock: Clock) -> float:
        limit_s: float = getattr(self._limits, clock)
        return self._since_s[clock] + (limit_s if clock in self._near else limit_s * _NEAR)

    def _count(self, ended: ResponseEnded) -> None:
        if ended.status == "completed":
            self._turns += 1
            self._errors = 0
            self._check("max_turns", self._turns)
        elif ended.status in {"failed", "refused"}:
            self._errors += 1
            self._check("max_consecutive_errors", self._errors, ended.error)

    def _check_usage(self) -> None:
        used, prices = self.usage, self._limits.prices
        self._check("max_input_tokens", used.input_tokens + used.transcription_input_tokens)
        self._check("max_output_tokens", used.output_tokens + used.transcription_output_tokens)
        self._check("max_audio_tokens", used.audio_tokens)
        self._check("max_cached_tokens", used.cached_tokens)
        if prices is not None:
            self._check("max_cost", used.cost(prices))

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
