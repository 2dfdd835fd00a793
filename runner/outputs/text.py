"""What outputs show of a session: its text or its events."""

import json
from collections.abc import Iterator, Mapping, Sequence

from runner.outputs.text_queue import MAX_STREAMS, TextQueue
from runner.protocol.effects import (
    Effect,
    FunctionAnswered,
    Opened,
    ResponseEnded,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    TurnEnded,
)
from runner.protocol.json_text import dumps, joined
from runner.protocol.severity import plain
from runner.session.update import Update

FUNCTION_ANSWERED = "rt_run.function_answered"
"""The type of the one event that is rt-run's own."""

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class TextLines:
    """The text of answers as it streams, each answer on lines of its own; of a transcription what the user says.

    Args:
        terminal: Whether a terminal shows it; control characters, which could rewrite the screen, are then left out.
    """

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._transcribes = False
        self._queue = TextQueue()
        self._streamed: dict[str, str] = {}
        """By item, the response that it is a part of; in a transcription, what was shown of it."""
        self._half = ""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates; a second answer waits for the end of the one being written."""
        pieces: list[str] = []
        for update in updates:
            for effect in update.effects:
                pieces += self._heard(effect) if self._transcribes else self._pieces(effect)
            if update.event is None:
                pieces += self._queue.end_all()
        text, self._half = self._half + "".join(pieces), ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            # The other half of a character that an endpoint cut in two comes with a later event.
            text, self._half = text[:-1], text[-1]
        return shown(text, terminal=self._terminal)

    def _pieces(self, effect: Effect) -> list[str]:
        match effect:
            case Opened(kind=kind):
                self._transcribes = kind == "transcription"
            case TextDelta(response_id=response_id, item_id=item_id, text=text):
                # A translation knows no responses.
                self._streamed[item_id] = response_id or item_id
                if len(self._streamed) > MAX_STREAMS:
                    del self._streamed[next(iter(self._streamed))]
                return self._queue.add(response_id or item_id, text)
            case TurnEnded(role="assistant", item_id=item_id, text=text) if item_id not in self._streamed:
                return [*self._queue.add(item_id, text), *self._queue.end(item_id)]
            case TurnEnded(role="assistant", item_id=item_id) if self._streamed[item_id] == item_id:
                del self._streamed[item_id]
                return self._queue.end(item_id)
            case ResponseEnded(response_id=response_id):
                self._streamed = {item: each for item, each in self._streamed.items() if each != response_id}
                return self._queue.end(response_id)
            case _:
                pass
        return []

    def _heard(self, effect: Effect) -> list[str]:
        match effect:
            case TranscriptionStarted(item_id=item_id):
                return self._queue.begin(item_id)
            case TranscriptDelta(item_id=item_id, text=text):
                self._streamed[item_id] = self._streamed.get(item_id, "") + text
                if len(self._streamed) > MAX_STREAMS:
                    del self._streamed[next(iter(self._streamed))]
                return self._queue.add(item_id, text)
            case TurnEnded(role="user", item_id=item_id, text=text):
                streamed = self._streamed.pop(item_id, "")
                # What streamed may lack the end, or all of it.
                rest = text.removeprefix(streamed) if text.startswith(streamed) else ""
                return [*(self._queue.add(item_id, rest) if rest else ()), *self._queue.end(item_id)]
            case TranscriptionEnded(item_id=item_id):
                self._streamed.pop(item_id, None)
                return self._queue.end(item_id)
            case _:
                pass
        return []


class AnswerLines:
    """The text of answers, each whole and on lines of its own, for an output that several sessions share.

    Args:
        terminal: As for `TextLines`.
        title: What every line begins with, so that sessions can be told apart; nothing where it is empty.
    """

    def __init__(self, *, terminal: bool, title: str = "") -> None:
        self._terminal = terminal
        self._prefix = f"{plain(title)} | " if title else ""
        self._role = "assistant"
        self._queue = TextQueue()

    def render(self, updates: Sequence[Update]) -> str:
        """The answers that these updates complete; of a transcription what the user has said."""
        pieces: list[str] = []
        for update in updates:
            for effect in update.effects:
                pieces += self._pieces(effect)
            if update.event is None:
                pieces += self._queue.end_all()
        return shown("".join(pieces), terminal=self._terminal)

    def _pieces(self, effect: Effect) -> list[str]:
        match effect:
            case Opened(kind=kind):
                self._role = "user" if kind == "transcription" else "assistant"
            case TranscriptionStarted(item_id=item_id) if self._role == "user":
                return self._queue.begin(item_id)
            case TurnEnded(role=role, item_id=item_id, text=text) if role == self._role and text:
                titled = "\n".join(f"{self._prefix}{line}" for line in text.split("\n"))
                return [*self._queue.add(item_id, titled), *self._queue.end(item_id)]
            case TranscriptionEnded(item_id=item_id):
                return self._queue.end(item_id)
            case _:
                pass
        return []


class EventLines:
    """Every server event as one line of JSON; after the output of a function one of rt-run's own, with what came of it.

    Args:
        whose: Keys that stand before those of each event, so that sessions can be told apart.
    """

    def __init__(self, whose: Mapping[str, str] | None = None) -> None:
        self._whose = f"{json.dumps(whose)[:-1]}, " if whose else ""

    def render(self, updates: Sequence[Update]) -> str:
        """The lines to write for these updates."""
        lines = (line for update in updates if update.event is not None for line in _lines(update))
        return "".join(f"{self._whose}{line[1:]}\n" if self._whose else f"{line}\n" for line in lines)


def _lines(update: Update) -> Iterator[str]:
    yield update.line()
    for effect in update.effects:
        if type(effect) is FunctionAnswered:
            yield dumps({"type": FUNCTION_ANSWERED, **effect._asdict()})


def shown(text: str, *, terminal: bool) -> str:
    """The text as it is written: halves of characters joined, and nothing in it that could rewrite a terminal."""
    text = joined(text)
    return text.translate(_CONTROLS) if terminal else text
