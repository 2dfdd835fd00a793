"""What one session does, counted as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, ProtocolError, SessionRefused
from runner.operations.metric_totals import labels_of
from runner.protocol.effects import (
    AudioDelta,
    FunctionAnswered,
    ResponseEnded,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TurnEnded,
)
from runner.protocol.user_effects import AnswerInterrupted
from runner.session.carriage import Between, Carried

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.operations.instruments import Instruments
    from runner.operations.observed import ObservedRun
    from runner.protocol.effects import Effect
    from runner.session.carriage import Place
    from runner.session.link import Link
    from runner.session.update import Update

_MOST_TOOLS = 100
_OTHER = "other"
_REASONS = (
    (AccessRefused, "access"),
    (SessionRefused, "refused"),
    (ProtocolError, "protocol"),
    (EndpointBusy, "busy"),
    (EndpointUnreachable, "unreachable"),
)


class RunMetrics:
    """Counts what becomes of one session and of its connections.

    Args:
        run: The run, which has not begun.
        instruments: Where it is counted.
    """

    def __init__(self, run: ObservedRun, instruments: Instruments) -> None:
        self._run = run
        self._instruments = instruments
        self._place: Place | None = None
        self._link: Link | None = None
        self._text_since_s = self._audio_since_s = 0.0
        """When the user had finished speaking, in Unix seconds; 0 once the first piece of the answer has come."""
        self._tools = {tool.name for tool in run.profile.tools}
        run.readers.append(self._take)
        run.whereabouts.followers.append(self._follow)

    @property
    def _labels(self) -> tuple[str, str]:
        return labels_of(self._run)

    def _take(self, update: Update) -> None:
        for effect in update.effects:
            match effect:
                case TextDelta() if self._text_since_s:
                    self._instruments.first_text_s.labels(*self._labels).observe(update.at_s - self._text_since_s)
                    self._text_since_s = 0.0
                case AudioDelta() if self._audio_since_s:
                    self._instruments.first_audio_s.labels(*self._labels).observe(update.at_s - self._audio_since_s)
                    self._audio_since_s = 0.0
                case TextDelta() | AudioDelta():
                    pass
                case _:
                    self._count(effect, update.at_s)

    def _count(self, effect: Effect, at_s: float) -> None:
        match effect:
            case SpeechStarted(interrupts=interrupts):
                self._text_since_s = self._audio_since_s = 0.0
                if interrupts and self._is_answering:
                    self._instruments.interruptions.labels(*self._labels).inc()
            case AnswerInterrupted():
                self._instruments.interruptions.labels(*self._labels).inc()
            case SpeechStopped():
                self._text_since_s = self._audio_since_s = at_s
            case TurnEnded(role=role):
                self._instruments.turns.labels(*self._labels, role).inc()
            case FunctionAnswered(name=name, outcome=outcome, duration_s=duration_s):
                tool = self._tool(name)
                self._instruments.tool_calls.labels(*self._labels, tool, outcome or _OTHER).inc()
                if outcome:
                    self._instruments.tool_call_s.labels(*self._labels, tool).observe(duration_s)
            case ResponseEnded(status=status):
                self._instruments.responses.labels(*self._labels, status).inc()
            case _:
                pass

    def _tool(self, name: str) -> str:
        """The tool as a label: a model may invent names without end."""
        if len(self._tools) < _MOST_TOOLS:
            self._tools.add(name)
        return name if name in self._tools else _OTHER

    @property
    def _is_answering(self) -> bool:
        session, playback = self._run.session, self._run.outputs.playback
        return bool((session and session.state.busy) or (playback and playback.is_playing))

    def _follow(self, place: Place) -> None:
        before, self._place = self._place, place
        match place:
            case Carried(link=link) if link is not self._link:
                self._link = link
                self._instruments.connections.labels(*self._labels).inc()
                self._instruments.connect_s.labels(*self._labels).observe(link.took_s)
            case Between(error=None) if isinstance(before, Carried):
                self._instruments.rollovers.labels(*self._labels).inc()
            case Between(error=error) if error and isinstance(before, Carried):
                self._instruments.connections_lost.labels(*self._labels, _reason(error)).inc()
            case Between(error=error) if error and not (isinstance(before, Between) and before.error is error):
                self._instruments.attempts_failed.labels(*self._labels, _reason(error)).inc()
            case _:
                pass


def _reason(error: RunnerError) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), _OTHER)
