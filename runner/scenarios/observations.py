"""What happens in a session under test: a reader that notes who said what, what was called, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import anyio

from runner.errors import RunnerError
from runner.protocol.effects import (
    AudioDelta,
    ErrorReported,
    FunctionAnswered,
    FunctionCalled,
    ResponseEnded,
    SpeechStarted,
    TextDelta,
    TranscriptDelta,
    TurnEnded,
)
from runner.protocol.user_effects import AnswerInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.protocol.effects import Effect
    from runner.session.update import Update

ObservedKind = Literal["agent", "user", "call", "output", "interruption", "error"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that happened."""

    at_s: float
    """When it began, on the event loop's clock, in seconds."""
    kind: ObservedKind
    text: str
    """What was said, or the tool that was called, or what is wrong."""
    arguments: str = ""
    """Of a call."""


@dataclass(slots=True)
class ObservedTurn:
    """When a turn of the scenario took place, on the event loop's clock, in seconds."""

    began_s: float
    said_s: float = math.inf
    """When the user had said the last word; where none is said, when the turn began; infinite before it is said."""
    problem: str = ""
    """Why it could not be carried out."""


@dataclass
class Observations:
    """Everything that is judged of one run.

    Attributes:
        all: What happened, in order.
        turns: The turns of the scenario that have begun.
        is_heard: Whether an answer is being heard or written; it is asked for at the beginning of speech.
    """

    all: list[Observation] = field(default_factory=list)
    turns: list[ObservedTurn] = field(default_factory=list)
    is_heard: Callable[[], bool] = lambda: False
    _began_s: dict[str, float] = field(default_factory=dict)
    """When the first piece of each item came."""
    _answers: int = 0
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def answers(self) -> int:
        """How many answers have begun."""
        return self._answers

    async def changed(self) -> None:
        """Wait for the next thing that happens, the beginning of an answer included."""
        await self._changed.wait()

    def begin(self) -> ObservedTurn:
        """A turn of the scenario begins; all before the first one belongs to it."""
        turn = ObservedTurn(anyio.current_time() if self.turns else -math.inf)
        self.turns.append(turn)
        return turn

    def of_turn(self, index: int) -> list[Observation]:
        """What began in a turn."""
        begin_s = self.turns[index].began_s
        end_s = self.turns[index + 1].began_s if index + 1 < len(self.turns) else math.inf
        return [each for each in self.all if begin_s <= each.at_s < end_s]

    def read(self, update: Update) -> None:
        """Note what an update means: a reader of the session."""
        for effect in update.effects:
            self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case TextDelta(item_id=item_id) | AudioDelta(item_id=item_id):
                if item_id not in self._began_s:
                    self._began_s[item_id] = anyio.current_time()
                    self._answers += 1
                    self._notify()
            case TranscriptDelta(item_id=item_id):
                self._began_s.setdefault(item_id, anyio.current_time())
            case TurnEnded(role="assistant" | "user" as role, text=text, item_id=item_id) if text.strip():
                self._note("agent" if role == "assistant" else "user", text, at_s=self._began_s.get(item_id))
            case FunctionCalled(name=name, arguments=arguments):
                self._note("call", name, arguments)
            case FunctionAnswered(name=name, output=output):
                self._note("output", output, name)
            case _:
                self._take_trouble(effect)

    def _take_trouble(self, effect: Effect) -> None:
        match effect:
            case SpeechStarted(interrupts=True) if self.is_heard():
                self._note("interruption", "the user speaks over an answer")
            case AnswerInterrupted():
                self._note("interruption", "the user speaks over an answer")
            case ResponseEnded(status="cancelled"):
                self._note("interruption", "an answer was cancelled")
            case (
                ErrorReported(error=RunnerError() as error)
                | ResponseEnded(status="failed", error=RunnerError() as error)
            ):
                self._note("error", error.message)
            case _:
                pass

    def _note(self, kind: ObservedKind, text: str, arguments: str = "", *, at_s: float | None = None) -> None:
        self.all.append(Observation(anyio.current_time() if at_s is None else at_s, kind, text, arguments))
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
