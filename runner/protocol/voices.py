"""Which turns the voices of a Live session make: the endpoint sends words on one timeline, and no turns.

A voice's turn is over after a pause, a short one where the other voice has spoken over it, or once the other voice has
spoken after it: what then comes of it is another turn. Words may come late, so a turn ends where its voice stopped,
not where its last words arrive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

PAUSE_S: Final = 1.5
"""A pause of a voice that ends its turn, in seconds."""
BREATH_S: Final = 0.4
"""A pause of a voice after all that it was to say, in seconds: what it has said is whole then."""
_LONGEST_PIECE_S: Final = 30.0
"""A piece that lasts longer than this is not believed to, in seconds."""

Voice = Literal["user", "assistant"]
OTHER: Final[dict[Voice, Voice]] = {"user": "assistant", "assistant": "user"}


class SpeechPlace(NamedTuple):
    """Where a piece of speech lies on the session's timeline, and when it came."""

    start_ms: int | None
    """None where the endpoint does not say."""
    end_ms: int | None
    at_s: float
    """By the client's clock, in seconds."""

    @property
    def duration_s(self) -> float:
        """How long it lasts, in seconds; 0 where that is not known."""
        if self.start_ms is None or self.end_ms is None:
            return 0.0
        return min(max(0, self.end_ms - self.start_ms) / 1000, _LONGEST_PIECE_S)


@dataclass(slots=True)
class _VoiceTurn:
    """What one voice is saying."""

    end_ms: int | None
    """Where it has come to on the timeline."""
    heard_s: float
    """By the client's clock, until when it lasts at least, in seconds."""
    followed_ms: int | None = None
    """Where the other voice began after it; None while it has not."""
    over_ms: int | None = None
    """Where the other voice began since it began, be it over it; None while it has not."""


class Voices:
    """Which turns are going on, by the pieces of both voices in the order in which they come."""

    def __init__(self) -> None:
        self._turns: dict[Voice, _VoiceTurn] = {}

    def __contains__(self, voice: Voice) -> bool:
        return voice in self._turns

    @property
    def due_s(self) -> float:
        """When the next turn is over if nothing more comes of it, by the client's clock; infinite without a turn."""
        return min((each.heard_s + PAUSE_S for each in self._turns.values()), default=math.inf)

    def silent_s(self, voice: Voice, at_s: float) -> float:
        """How long a voice has said nothing, in seconds; infinite where its turn is over."""
        turn = self._turns.get(voice)
        return max(0.0, at_s - turn.heard_s) if turn else math.inf

    def add(self, voice: Voice, place: SpeechPlace) -> bool:
        """Take in a piece of a voice; returns whether it belongs to a new turn, so that the one before has ended."""
        turn, other = self._turns.get(voice), self._turns.get(OTHER[voice])
        is_new = turn is None or _is_apart(turn, place)
        is_first = turn is None or is_new or turn.end_ms is None
        if turn is None or is_new:
            turn = self._turns[voice] = _VoiceTurn(place.end_ms, place.at_s)
        turn.heard_s = max(turn.heard_s, place.at_s + place.duration_s)
        if place.end_ms is not None:
            turn.end_ms = max(turn.end_ms or 0, place.end_ms)
        if is_first and other is not None and place.start_ms is not None:
            other.over_ms = place.start_ms
            if (other.end_ms or 0) <= place.start_ms:
                other.followed_ms = place.start_ms
        return is_new

    def sound(self, voice: Voice, at_s: float) -> bool:
        """Take in that a voice sounds, whether or not its words have come; returns whether its turn begins with it."""
        turn = self._turns.get(voice)
        if turn is None:
            self._turns[voice] = _VoiceTurn(None, at_s)
            return True
        turn.heard_s = max(turn.heard_s, at_s)
        return False

    def fallen_silent(self, at_s: float, pause_s: float | None = None) -> list[Voice]:
        """The voices whose turns are over by now, and end; a pause may be given that is enough for that, in seconds.

        What has been answered was said before its answer, though its words may have come all at once and late.
        """
        enough_s = PAUSE_S if pause_s is None else pause_s
        turns = self._turns.items()
        silent = [voice for voice, turn in turns if at_s >= turn.heard_s + enough_s]
        answered = [voice for voice, turn in turns if turn.followed_ms is not None and OTHER[voice] in silent]
        return [self.end(voice) for voice in dict.fromkeys((*answered, *silent))]

    def end(self, voice: Voice) -> Voice:
        """End the turn of a voice, if there is one."""
        self._turns.pop(voice, None)
        return voice


def _is_apart(turn: _VoiceTurn, place: SpeechPlace) -> bool:
    """Whether a piece is no part of a turn any more."""
    if place.start_ms is None or turn.end_ms is None:
        return place.at_s - turn.heard_s >= PAUSE_S
    if turn.followed_ms is not None and place.start_ms >= turn.followed_ms:
        return True
    # Who was spoken over and stops, and then says something, says something else.
    is_spoken_over = turn.over_ms is not None and place.start_ms >= turn.over_ms
    return place.start_ms - turn.end_ms >= (BREATH_S if is_spoken_over else PAUSE_S) * 1000
