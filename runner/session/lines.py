"""What outputs show of a session: its text or its events."""

from collections.abc import Sequence

from runner.protocol.effects import Effect, ResponseEnded, TextDelta, TurnEnded
from runner.session.update import Update

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class TextLines:
    """The text of answers as it streams, each answer on lines of its own.

    Args:
        terminal: Whether a terminal shows it; control characters, which could rewrite the screen, are then left out.
    """

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._current: str | None = None
        self._waiting: dict[str, list[str]] = {}
        self._over: set[str] = set()
        self._streamed: dict[str, str] = {}
        self._half = ""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates; a second answer waits for the end of the one being written."""
        pieces: list[str] = []
        for update in updates:
            for effect in update.effects:
                pieces += self._pieces(effect)
            if update.event is None and self._current is not None:
                pieces += self._ended(self._current)
        text, self._half = self._half + "".join(pieces), ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            # The other half of a character that an endpoint cut in two comes with a later event.
            text, self._half = text[:-1], text[-1]
        return _shown(text, terminal=self._terminal)

    def _pieces(self, effect: Effect) -> list[str]:
        match effect:
            case TextDelta(response_id=response_id, item_id=item_id, text=text):
                self._streamed[item_id] = response_id
                self._current = response_id if self._current is None else self._current
                if response_id == self._current:
                    return [text]
                self._waiting.setdefault(response_id, []).append(text)
            case TurnEnded(role="assistant", item_id=item_id, text=text):
                if item_id not in self._streamed:
                    return self._unstreamed(item_id, text)
            case ResponseEnded(response_id=response_id):
                self._streamed = {item: each for item, each in self._streamed.items() if each != response_id}
                return self._ended(response_id)
            case _:
                pass
        return []

    def _unstreamed(self, item_id: str, text: str) -> list[str]:
        if self._current is None:
            return [text, "\n"]
        self._waiting[item_id] = [text]
        self._over.add(item_id)
        return []

    def _ended(self, response_id: str) -> list[str]:
        if response_id in self._waiting:
            self._over.add(response_id)
        if response_id != self._current:
            return []
        pieces = ["\n"]
        self._current = None
        while self._waiting and self._current is None:
            following = next(iter(self._waiting))
            pieces += self._waiting.pop(following)
            if following in self._over:
                self._over.discard(following)
                pieces.append("\n")
            else:
                self._current = following
        return pieces


class AnswerLines:
    """The text of answers, each whole and on lines of its own, for an output that several sessions share.

    Args:
        terminal: As for `TextLines`.
    """

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal

    def render(self, updates: Sequence[Update]) -> str:
        """The answers that these updates complete."""
        turns = (each for update in updates for each in update.effects if isinstance(each, TurnEnded))
        text = "".join(f"{turn.text}\n" for turn in turns if turn.role == "assistant" and turn.text)
        return _shown(text, terminal=self._terminal)


class EventLines:
    """Every server event as one line of JSON."""

    def render(self, updates: Sequence[Update]) -> str:
        """The lines to write for these updates."""
        return "".join(f"{update.line()}\n" for update in updates if update.event is not None)


def _shown(text: str, *, terminal: bool) -> str:
    """The text as it is written: halves of characters joined, and nothing in it that could rewrite a terminal."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.translate(_CONTROLS) if terminal else text
