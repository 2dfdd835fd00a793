"""Each turn of a session as one line of JSON: what was said, what was answered, and how that went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.protocol.effects import (
    AudioDelta,
    Effect,
    Opened,
    ResponseEnded,
    ResponseRetried,
    ResponseStarted,
    SessionEnded,
    SpeechStopped,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    TurnEnded,
)
from runner.protocol.json_text import dumps_strict
from runner.protocol.request import FILLER
from runner.protocol.side_fields import SideFields
from runner.protocol.usage import Usage

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.session.update import Update

MAX_OPEN_TURNS = 1024
"""How many turns are remembered that are not written; when there are more, the oldest is written as it is."""


@dataclass(slots=True)
class _AnsweredTurn:
    """What the user said, and what has come of the answer so far."""

    said: dict[str, str | None]
    """By item; None while it is being written down."""
    asked_at_s: float
    """When the answer was asked for, in Unix seconds; 0 where that is not known."""
    request_id: str = ""
    response_id: str = ""
    texts: dict[str, list[str]] = field(default_factory=dict)
    first_at_s: float = 0.0
    done_at_s: float = 0.0
    usage: Usage = field(default_factory=Usage)
    status: str = "lost"
    reason: str = ""
    error: RunnerError | None = None
    is_over: bool = False
    """Whether no more of the answer comes."""
    is_broken_off: bool = False
    """Whether its connection has ended, so that it begins anew or never ends."""

    @property
    def is_complete(self) -> bool:
        """Whether what was said is known too."""
        return self.is_over and None not in self.said.values()

    def begin(self, response_id: str, request_id: str) -> None:
        """A response begins, perhaps one more, or the same one anew."""
        self.response_id, self.request_id = response_id, request_id
        if self.is_broken_off:
            self.forget()

    def forget(self) -> None:
        """What has come of the answer counts no more: it begins anew."""
        self.texts.clear()
        self.first_at_s, self.is_broken_off = 0.0, False

    def end(self, status: str, reason: str, error: RunnerError | None, at_s: float) -> None:
        """Its response is over."""
        self.status, self.reason, self.error, self.done_at_s = status, reason, error, at_s


class TurnObjects:
    """One object a turn: of a conversation an answer with its question, of a transcription what was said.

    Args:
        whose: Keys that stand before those of each object, so that sessions can be told apart.
    """

    def __init__(self, whose: Mapping[str, str] | None = None) -> None:
        self._whose = dict(whose or {})
        self._kind = "realtime"
        self._side = SideFields()
        self._said: dict[str, str | None] = {}
        """What was said that no answer has begun to; None while it is being written down."""
        self._spoken_at_s: dict[str, float] = {}
        """When the user has finished speaking an item."""
        self._turns: list[_AnsweredTurn] = []
        self._calling: _AnsweredTurn | None = None
        """The turn whose answer goes on when its calls have returned."""

    def render(self, updates: Sequence[Update]) -> str:
        """The lines of the turns that these updates complete."""
        lines: list[str] = []
        for update in updates:
            for effect in update.effects:
                self._take(effect, update)
            if update.event is None:
                for turn in self._turns:
                    turn.is_broken_off = not turn.is_over
            if self._turns or self._said:
                is_over = any(isinstance(effect, SessionEnded) for effect in update.effects)
                lines += self._written(is_over=is_over)
        return "".join(lines)

    def _take(self, effect: Effect, update: Update) -> None:
        match effect:
            case TextDelta(response_id=response_id, item_id=item_id, text=text):
                self._add(response_id, item_id, text, update)
            case AudioDelta(response_id=response_id, item_id=item_id):
                self._add(response_id, item_id, "", update)
            case TurnEnded(role="user", item_id=item_id, text=text):
                self._hear(item_id, text)
            case TurnEnded(role="assistant"):
                self._answer(effect, update)
            case ResponseStarted(request_id=request_id) if not request_id.startswith(FILLER):
                self._begin(effect)
            case ResponseRetried(response_id=response_id, request_id=request_id):
                if turn := self._turn_of(response_id, request_id):
                    turn.forget()
            case ResponseEnded(request_id=request_id) if not request_id.startswith(FILLER):
                self._end(effect, update)
            case _:
                self._take_speech(effect, update)

    def _take_speech(self, effect: Effect, update: Update) -> None:
        match effect:
            case Opened(kind=kind):
                self._kind = kind
            case SpeechStopped(item_id=item_id):
                self._spoken_at_s[item_id] = update.at_s
                _forget_oldest(self._spoken_at_s)
            case TranscriptionStarted(item_id=item_id) | TranscriptDelta(item_id=item_id):
                self._await_words(item_id, update)
            case TranscriptionEnded(item_id=item_id, error=error):
                self._end_transcription(item_id, error, update)
            case _:
                pass

    def _add(self, response_id: str, item_id: str, text: str, update: Update) -> None:
        if turn := self._turn_of(response_id):
            turn.texts.setdefault(item_id, []).append(text)
            turn.first_at_s = turn.first_at_s or update.at_s

    def _turn_of(self, response_id: str, request_id: str = "") -> _AnsweredTurn | None:
        for turn in reversed(self._turns):
            if not turn.is_over and (turn.response_id == response_id != "" or turn.request_id == request_id != ""):
                return turn
        return None

    def _home(self, item_id: str) -> dict[str, str | None]:
        """Where this item of the user's is: in a turn, or among what no answer has begun to."""
        return next((turn.said for turn in self._turns if item_id in turn.said), self._said)

    def _hear(self, item_id: str, text: str) -> None:
        home = self._home(item_id)
        home[item_id] = "\n".join(filter(None, [home.get(item_id), text]))
        _forget_oldest(self._said)

    def _await_words(self, item_id: str, update: Update) -> None:
        if self._kind == "transcription" and self._turn_of(item_id) is None:
            spoken_at_s = self._spoken_at_s.pop(item_id, 0.0)
            self._turns.append(_AnsweredTurn({item_id: None}, spoken_at_s, response_id=item_id))
        elif self._kind == "transcription":
            turn = self._turn_of(item_id)
            if turn:
                turn.first_at_s = turn.first_at_s or update.at_s
        else:
            self._home(item_id).setdefault(item_id, None)

    def _end_transcription(self, item_id: str, error: RunnerError | None, update: Update) -> None:
        home = self._home(item_id)
        if home.get(item_id, "") is None:
            home[item_id] = ""
        turn = self._turn_of(item_id) if self._kind == "transcription" else None
        if turn:
            turn.texts[item_id] = [turn.said.pop(item_id, None) or ""]
            turn.usage.add_transcription(self._side.table(update.event or {}, "usage"), self._side)
            turn.end("failed" if error else "completed", "", error, update.at_s)
            turn.is_over = True

    def _begin(self, effect: ResponseStarted) -> None:
        turn = self._turn_of(effect.response_id, effect.request_id)
        broken_off = [each for each in self._turns if each.is_broken_off]
        if turn is None and not self._said:
            turn = next(iter(broken_off), self._calling)
        if turn is None:
            spoken_at_s = max((self._spoken_at_s.pop(each, 0.0) for each in self._said), default=0.0)
            turn = _AnsweredTurn(self._said, effect.requested_at_s or spoken_at_s)
            self._said = {}
            self._turns.append(turn)
        for each in [*broken_off, *filter(None, [self._calling])]:
            each.is_over = each is not turn
        self._calling = None
        turn.begin(effect.response_id, effect.request_id)

    def _answer(self, effect: TurnEnded, update: Update) -> None:
        if self._kind == "translation":
            self._turns.append(_AnsweredTurn(self._said, 0.0, texts={effect.item_id: [effect.text]}, is_over=True))
            self._said = {}
            self._turns[-1].end(effect.status, "", None, update.at_s)
            return
        flying = [turn for turn in self._turns if not turn.is_over]
        if turn := next((each for each in flying if effect.item_id in each.texts), flying[-1] if flying else None):
            turn.texts[effect.item_id] = [effect.text]

    def _end(self, effect: ResponseEnded, update: Update) -> None:
        turn = self._turn_of(effect.response_id, effect.request_id)
        if turn is None:
            self._begin(ResponseStarted(effect.response_id, effect.request_id))
            turn = self._turns[-1]
        response = self._side.table(update.event or {}, "response")
        turn.usage.add(self._side.table(response, "usage"), self._side)
        turn.end(effect.status, effect.reason, effect.error or effect.loss, update.at_s)
        kinds = {self._side.text(item, "type") for item in self._side.tables(response, "output")}
        if effect.is_step or (effect.status == "completed" and "function_call" in kinds):
            self._calling = turn
        else:
            turn.is_over = True

    def _written(self, *, is_over: bool) -> Iterator[str]:
        """The lines of complete turns; one that waits for the words of its question holds up those after it."""
        if is_over and self._said:
            self._turns.append(_AnsweredTurn(self._said, 0.0, status="unanswered"))
            self._said = {}
        for turn in list(self._turns):
            if turn.is_complete or is_over or len(self._turns) > MAX_OPEN_TURNS:
                self._turns.remove(turn)
                yield self._line(turn)
            elif turn.is_over:
                return

    def _line(self, turn: _AnsweredTurn) -> str:
        shown: dict[str, Any] = {
            **self._whose,
            "input": "\n".join(filter(None, turn.said.values())) or None,
            "text": "\n".join(filter(None, map("".join, turn.texts.values()))),
            "status": turn.status,
        }
        shown |= {"reason": turn.reason} if turn.reason else {}
        shown |= {"error": turn.error.message} if turn.error else {}
        shown["usage"] = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, **turn.usage.as_log()}
        shown["latencies"] = {
            "first_ms": _since_ms(turn.asked_at_s, turn.first_at_s),
            "done_ms": _since_ms(turn.asked_at_s, turn.done_at_s),
        }
        return dumps_strict(shown, separators=(", ", ": ")) + "\n"


def _since_ms(start_s: float, end_s: float) -> int | None:
    """How long after the start, None where one of the two is not known."""
    return max(0, round((end_s - start_s) * 1000)) if start_s and end_s else None


def _forget_oldest(known: dict[str, Any]) -> None:
    if len(known) > MAX_OPEN_TURNS:
        del known[next(iter(known))]
