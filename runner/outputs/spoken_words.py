"""The words of both sides of a spoken session, as they come, for somebody who reads along at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.outputs.text import shown
from runner.outputs.text_queue import MAX_STREAMS, TextQueue
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    Opened,
    Played,
    ResponseEnded,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    Truncated,
    TurnEnded,
)
from runner.protocol.user_effects import AnswerInterrupted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.session.update import Update

_LAST_WORDS = 3
"""So many of the words that were heard show where an answer was interrupted."""


class SpokenWords:
    """Each turn on lines of its own that begin with who speaks, in the order of the conversation.

    What the user says stands before its answer where its words come before the answer is complete. An answer that is
    played ends when it was heard, so that an interruption is marked where it belongs.

    Args:
        is_played: Whether answers are played, so that a `Played` follows when one was heard.
    """

    def __init__(self, *, is_played: bool) -> None:
        self._is_played = is_played
        self._queue = TextQueue()
        self._said: dict[str, str] = {}
        """What has come of each turn that is not over, by its item."""
        self._sounding: set[str] = set()
        """The items that are still to be heard to their ends."""
        self._items_of: dict[str, list[str]] = {}
        """The items of each response that is not over."""
        self._ended: dict[str, None] = {}
        """The turns that have ended, and of which nothing is shown any more."""
        self._unheard: list[str] = []
        """The user's turns whose words nobody knows yet."""
        self._names = {"user": "You: ", "assistant": "Assistant: "}

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates."""
        pieces: list[str] = []
        for update in updates:
            for effect in update.effects:
                pieces += self._pieces(effect)
            if update.event is None and not any(isinstance(each, Played | Truncated) for each in update.effects):
                pieces += self._end_all()
        return shown("".join(pieces), terminal=True)

    def _pieces(self, effect: Effect) -> Iterator[str]:
        match effect:
            case Opened(kind="translation"):
                self._names["assistant"] = "Translation: "
            case TranscriptionStarted(item_id=item_id):
                self._unheard.append(item_id)
                yield from self._queue.begin(item_id)
            case TranscriptDelta(item_id=item_id, text=text):
                yield from self._say("user", item_id, text)
            case TurnEnded(role=role, item_id=item_id, text=text) if role in self._names:
                yield from self._end_turn(role, item_id, text)
            case TranscriptionEnded(item_id=item_id):
                yield from self._end(item_id)
            case _:
                yield from self._answer(effect)

    def _answer(self, effect: Effect) -> Iterator[str]:
        match effect:
            case AudioDelta(item_id=item_id) if self._is_played and item_id:
                self._sounding.add(item_id)
            case TextDelta(response_id=response_id, item_id=item_id, text=text):
                items = self._items_of.setdefault(response_id, [])
                if item_id not in items:
                    items.append(item_id)
                yield from self._say("assistant", item_id, text)
            case ResponseEnded(response_id=response_id, status=status):
                for item_id in self._items_of.pop(response_id, []):
                    if status == "cancelled" and item_id not in self._sounding:
                        yield from self._interrupt(item_id, "")
                    yield from self._end_turn("assistant", item_id, "")
            case Played(item_id=item_id, is_whole=True):
                self._sounding.discard(item_id)
                yield from self._end(item_id)
            case Truncated(item_id=item_id, text=text):
                self._sounding.discard(item_id)
                yield from self._interrupt(item_id, text)
            case AnswerInterrupted(item_id=item_id) if item_id in self._said:
                yield from self._interrupt(item_id, self._said[item_id])
            case _:
                pass

    def _say(self, role: str, item_id: str, text: str) -> Iterator[str]:
        if item_id in self._ended:
            return
        if item_id in self._unheard:
            self._unheard.remove(item_id)
        before = self._said.get(item_id)
        self._said[item_id] = (before or "") + text
        if len(self._said) > MAX_STREAMS:
            yield from self._end(next(iter(self._said)))
        yield from self._queue.add(item_id, (self._names[role] if before is None else "") + text)

    def _end_turn(self, role: str, item_id: str, text: str) -> Iterator[str]:
        """Show what the pieces of a turn lack, and end it, unless it is still being heard."""
        said = self._said.get(item_id, "")
        if text.startswith(said) and (rest := text.removeprefix(said)):
            yield from self._say(role, item_id, rest)
        if role == "assistant":
            # An answer that is complete waits no longer for words that may never come: they stand where they come.
            for unheard in [*self._unheard]:
                yield from self._end(unheard)
        if item_id not in self._sounding:
            yield from self._end(item_id)

    def _interrupt(self, item_id: str, heard: str) -> Iterator[str]:
        """Mark a turn that was not heard to its end, and where it was interrupted."""
        if item_id in self._said:
            words = heard.split()
            is_all = len(words) >= len(self._said[item_id].split())
            after = "" if is_all or not words else f' after "{" ".join(words[-_LAST_WORDS:])}"'
            yield from self._queue.add(item_id, f" (interrupted{after})")
        yield from self._end(item_id)

    def _end(self, item_id: str) -> list[str]:
        if self._said.pop(item_id, None) is not None:
            self._ended[item_id] = None
            if len(self._ended) > MAX_STREAMS:
                del self._ended[next(iter(self._ended))]
        if item_id in self._unheard:
            self._unheard.remove(item_id)
        return self._queue.end(item_id)

    def _end_all(self) -> list[str]:
        self._said.clear()
        self._sounding.clear()
        self._items_of.clear()
        self._unheard.clear()
        return self._queue.end_all()
