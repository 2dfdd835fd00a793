"""A translation, which has neither turns nor items: the words of both sides as stretches between pauses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Final, Literal, NamedTuple

from runner.protocol.conversation import Conversation
from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject
from runner.protocol.side_fields import SideFields

AUDIO_ITEM: Final = "translation"
"""Under which name all audio of a translation comes; words have their stretch's."""
PAUSE_S: Final = 2.0
"""What separates two stretches, in seconds."""

Side = Literal["user", "assistant"]


class Moment(NamedTuple):
    """When a piece of words came."""

    elapsed_ms: int | None
    """By the endpoint's clock, in milliseconds; None where the event does not say."""
    at_s: float
    """By the client's clock, in seconds."""

    def follows_pause(self, before: Moment) -> bool:
        """Whether there was a pause since the piece before."""
        if self.elapsed_ms is None or before.elapsed_ms is None:
            return self.at_s - before.at_s >= PAUSE_S
        return self.elapsed_ms - before.elapsed_ms >= PAUSE_S * 1000


def moment_of(event: JsonObject, at_s: float, side: SideFields) -> Moment:
    """When a piece came; `at_s` is the client's own time, in seconds."""
    return Moment(side.whole(event, "elapsed_ms"), at_s)


@dataclass(slots=True)
class _Stretch:
    """What one side has said since its last pause, and when its last piece came."""

    item_id: str
    last: Moment


class Translation:
    """What is being said on one connection of a translation.

    Args:
        before: The same on the session's connection before this one; the numbers of the stretches go on.
    """

    def __init__(self, before: Translation | None = None) -> None:
        self._numbers: count[int] = before._numbers if before else count(1)  # noqa: SLF001  # of the same class
        self._running: dict[Side, _Stretch] = {}

    def add(self, conversation: Conversation, now: Moment, side: Side, words: str) -> tuple[list[Effect], str, str]:
        """Add a piece; returns the end of the stretch before, if a pause has ended it, and the piece with its item.

        Args:
            conversation: Where the stretches stand as items.
            now: When the piece came.
            side: Whose words they are.
            words: The piece.
        """
        stretch, effects = self._running.get(side), []
        if stretch is not None and now.follows_pause(stretch.last):
            effects, stretch = self.end(conversation, side), None
        if stretch is None:
            # The space parts it from the words before, which are another turn now.
            words = words.lstrip(" ")
            stretch = _Stretch(f"stretch_{next(self._numbers)}", now)
            conversation.put({"id": stretch.item_id, "type": "message", "role": side})
            self._running[side] = stretch
        stretch.last = now
        conversation.append(stretch.item_id, 0, words)
        return effects, stretch.item_id, words

    def end(
        self, conversation: Conversation, side: Side, status: Literal["completed", "incomplete"] = "completed"
    ) -> list[Effect]:
        """End the stretch of a side, if it is saying something."""
        stretch = self._running.pop(side, None)
        item = conversation.get(stretch.item_id) if stretch else None
        if item is None:
            return []
        item.status = status
        return conversation.end_turn(item)

    def break_off(self, conversation: Conversation) -> list[Effect]:
        """The connection is over, which ends the stretches of both sides."""
        return [*self.end(conversation, "user", "incomplete"), *self.end(conversation, "assistant", "incomplete")]
