"""The transcript of a session, a finished turn of either side at a time: as lines of JSON, or for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from runner.protocol.effects import (
    AudioDelta,
    Effect,
    FunctionAnswered,
    Opened,
    Played,
    ResponseStarted,
    SessionEnded,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TranscriptDelta,
    Truncated,
    TurnEnded,
)
from runner.protocol.json_text import dumps, dumps_strict, loads
from runner.protocol.user_effects import AnswerInterrupted, KeyPressed, SegmentTranscribed, UserIdle

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.session.update import Update

MAX_TURNS = 1024
"""How many unfinished turns are remembered; when there are more, the oldest is written as it is."""

_FINISHING = (FunctionAnswered, KeyPressed, Played, Truncated, TurnEnded, UserIdle)
"""Effects after which a turn may be written."""
_FINISHING_LIVE = (*_FINISHING, ResponseStarted, SpeechStarted)
"""Those of a Live session, whose answers wait for what is said next."""
_NAMES = {"user": "User", "assistant": "Assistant", "system": "System"}


@dataclass(slots=True)
class _Turn:
    """What is known of a turn so far."""

    ended: TurnEnded | FunctionAnswered | None = None
    ended_at_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    """When it was spoken, and how much was heard."""
    has_audio: bool = False
    is_heard: bool = False
    heard_words: str | None = None
    """The words that were heard of an answer that the user interrupted."""
    is_spoken_over: bool = False
    """Whether the model of a Live session has stopped since the user spoke."""
    is_followed: bool = False
    """Whether something was said after it."""


class Transcript:
    """Every finished turn, in the order of the conversation; an answer that is played, once it was heard.

    An answer of a Live session waits for what is said next, since only that tells whether it was interrupted.

    Args:
        markdown: Whether it is for people; otherwise a line of JSON a turn.
        is_played: Whether answers are played, so that a `Played` follows when one was heard.
    """

    def __init__(self, *, markdown: bool = False, is_played: bool = False) -> None:
        self._write: Callable[[_Turn, TurnEnded | FunctionAnswered], str] = _paragraph if markdown else _line
        self._is_played = is_played
        self._is_live = False
        self._numbers = count(1)
        self._turns: dict[str, _Turn] = {}
        """The turns that are not written yet, in the order in which they began."""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates."""
        return "".join(text for update in updates for text in self._rendered(update))

    def _rendered(self, update: Update) -> Iterator[str]:
        for effect in update.effects:
            self._note(effect, update.at_s)
            if isinstance(effect, SessionEnded):
                yield from self._written(everything=True)
                self._turns.clear()
        finishing = _FINISHING_LIVE if self._is_live else _FINISHING
        if len(self._turns) > MAX_TURNS or any(isinstance(each, finishing) for each in update.effects):
            # Turns that nobody ends, such as speech that is not transcribed, cost the other updates nothing.
            yield from self._written()

    def _note(self, effect: Effect, at_s: float) -> None:
        match effect:
            case AudioDelta(item_id=item_id):
                if self._is_played and item_id:
                    self._turn(item_id).has_audio = True
            case TextDelta(item_id=item_id) | TranscriptDelta(item_id=item_id):
                self._turn(item_id)
            case SpeechStarted(item_id=item_id, audio_ms=audio_ms):
                self._turn(item_id).facts["start_ms"] = audio_ms
            case SpeechStopped(item_id=item_id, audio_ms=audio_ms):
                self._turn(item_id).facts["end_ms"] = audio_ms
            case Played(item_id=item_id) | Truncated(item_id=item_id) | AnswerInterrupted(item_id=item_id):
                if turn := self._turns.get(item_id):
                    _note_heard(turn, effect, at_s)
            case TurnEnded(item_id=item_id) | FunctionAnswered(item_id=item_id):
                turn = self._turn(item_id)
                if turn.ended is not None:
                    turn = self._again(item_id, turn)
                turn.ended, turn.ended_at_s = effect, at_s
            case _:
                self._note_user(effect, at_s)

    def _note_user(self, effect: Effect, at_s: float) -> None:
        match effect:
            case Opened(kind=kind):
                self._is_live = kind == "live"
            case SegmentTranscribed(item_id=item_id, text=text, speaker=speaker):
                segment = {"speaker": speaker, "text": text, "start_s": effect.start_s, "end_s": effect.end_s}
                self._turn(item_id).facts.setdefault("segments", []).append(segment)
            case KeyPressed(key=key):
                self._put(TurnEnded("user", f"[key {key}]", "", "completed"), at_s, {"key": key})
            case UserIdle(item_id=item_id, silent_ms=silent_ms):
                self._put(TurnEnded("user", "[silence]", item_id, "completed"), at_s, {"silent_ms": silent_ms})
            case _:
                pass

    def _put(self, said: TurnEnded, at_s: float, facts: dict[str, Any]) -> None:
        """Write something that the user has done instead of speaking, as a turn."""
        self._turns[f"{said.item_id} {next(self._numbers)}"] = _Turn(said, at_s, facts)

    def _again(self, item_id: str, before: _Turn) -> _Turn:
        """Another turn with the id of one that is not written yet, which waits no longer for what was heard of it."""
        before.is_heard = True
        name = f"{item_id} {next(self._numbers)}"
        self._turns = {name if each is before else key: each for key, each in self._turns.items()}
        turn = self._turn(item_id)
        turn.has_audio = before.has_audio
        return turn

    def _turn(self, item_id: str) -> _Turn:
        if item_id not in self._turns:
            if before := next(reversed(self._turns.values()), None):
                before.is_followed = True
            self._turns[item_id] = _Turn()
        return self._turns[item_id]

    def _written(self, *, everything: bool = False) -> Iterator[str]:
        """The first turns that wait for nothing; a turn that has not ended holds up no turn after it."""
        for item_id, turn in list(self._turns.items()):
            if turn.ended is None and len(self._turns) <= MAX_TURNS:
                continue
            waits = (turn.has_audio and not turn.is_heard) or (
                self._is_live
                and not turn.is_followed
                and isinstance(turn.ended, TurnEnded)
                and turn.ended.role == "assistant"
            )
            if waits and not everything and len(self._turns) <= MAX_TURNS:
                return
            del self._turns[item_id]
            if turn.ended is not None:
                yield self._write(turn, turn.ended)


def _note_heard(turn: _Turn, effect: Effect, at_s: float) -> None:
    match effect:
        case Truncated(text=text):
            turn.heard_words = text
        case AnswerInterrupted(heard_ms=heard_ms):
            turn.is_spoken_over, turn.facts["heard_ms"] = True, heard_ms
        case Played(heard_ms=heard_ms, is_whole=is_whole):
            turn.is_heard, turn.ended_at_s = True, at_s
            turn.heard_words = None if is_whole else turn.heard_words or ""
            if not turn.is_spoken_over:
                turn.facts["heard_ms"] = heard_ms
        case _:
            pass


def _said(turn: _Turn, ended: TurnEnded) -> tuple[str, str]:
    """What was said, as far as it was heard, and how it ended."""
    if turn.heard_words is not None:
        return turn.heard_words, "interrupted"
    return ended.text, "interrupted" if turn.is_spoken_over else ended.status


def _line(turn: _Turn, ended: TurnEnded | FunctionAnswered) -> str:
    line: dict[str, Any] = {"time": _time(turn).isoformat(timespec="milliseconds")}
    if isinstance(ended, FunctionAnswered):
        line |= {"role": "tool", "text": ended.output, "name": ended.name, "arguments": ended.arguments}
        line |= {"status": ended.outcome, "item_id": ended.item_id, "call_id": ended.call_id}
        return dumps_strict({**line, "duration_s": ended.duration_s}, separators=(", ", ": ")) + "\n"
    text, status = _said(turn, ended)
    line |= {"role": ended.role, "text": text}
    line |= {"status": status, "item_id": ended.item_id, **turn.facts}
    line |= {"languages": list(ended.languages)} if ended.languages else {}
    line |= {"phase": ended.phase} if ended.phase else {}
    if ended.logprobs:
        # They are as the endpoint sent them, and may hold numbers that JSON lacks.
        line["logprobs"] = loads(dumps(list(ended.logprobs)))
    return dumps_strict(line, separators=(", ", ": ")) + "\n"


def _paragraph(turn: _Turn, ended: TurnEnded | FunctionAnswered) -> str:
    if isinstance(ended, FunctionAnswered):
        call, mark = f"{ended.name}({ended.arguments})", "" if ended.outcome in {"", "ok"} else f" *({ended.outcome})*"
        output = " ".join(ended.output.split())
        return f"**Tool** `{_time(turn):%H:%M:%S}`: {' '.join(call.split())} → {output}{mark}\n\n"
    text, status = _said(turn, ended)
    mark = "" if status == "completed" else f" *({status})*"
    mark += " *(preamble)*" if ended.phase == "commentary" else ""
    name = _NAMES.get(ended.role, ended.role)
    segments = turn.facts.get("segments", ())
    speakers = list(dict.fromkeys(each["speaker"] for each in segments if each["speaker"]))
    if len(speakers) > 1:
        text = " ".join(f"{each['speaker']}: {each['text']}" for each in segments)
    elif speakers:
        name += f" {speakers[0]}"
    return f"**{name}** `{_time(turn):%H:%M:%S}`: {' '.join(text.split())}{mark}\n\n"


def _time(turn: _Turn) -> datetime:
    return datetime.fromtimestamp(turn.ended_at_s, UTC)
