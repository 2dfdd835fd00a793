"""Turn detection: from frames of audio to the beginnings and ends of turns."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from runner.local.session.identifiers import new_id
from runner.local.speech.interfaces import Frame

SHORTEST_SPEECH_MS: Final = 60.0
"""Shorter sounds are clicks or coughs, and no turns."""

_SEMANTIC_SILENCE_MS: Final = {"high": 500, "auto": 800, "medium": 800, "low": 1500}
"""The endpoint does not judge whether a sentence is complete: less eagerness is a longer silence."""


class TurnSettings(NamedTuple):
    """The settings of turn detection.

    Args:
        threshold: The probability from which a frame counts as speech.
        prefix_ms: Audio kept from before speech began.
        silence_ms: Silence that ends a turn.
        idle_ms: Silence after a response that starts another response, or None.
        answers: Whether the end of a turn starts a response.
        interrupts: Whether the start of a turn cancels the active response.
    """

    threshold: float = 0.5
    prefix_ms: int = 300
    silence_ms: int = 500
    idle_ms: int | None = None
    answers: bool = True
    interrupts: bool = True


def turn_settings(turn_detection: dict[str, Any] | None) -> TurnSettings | None:
    """The settings of an effective `turn_detection`; None where the client commits by hand."""
    if turn_detection is None:
        return None
    shared = {"answers": turn_detection["create_response"], "interrupts": turn_detection["interrupt_response"]}
    if turn_detection["type"] == "semantic_vad":
        return TurnSettings(silence_ms=_SEMANTIC_SILENCE_MS[turn_detection["eagerness"]], **shared)
    return TurnSettings(
        threshold=turn_detection["threshold"],
        prefix_ms=turn_detection["prefix_padding_ms"],
        silence_ms=turn_detection["silence_duration_ms"],
        idle_ms=turn_detection["idle_timeout_ms"],
        **shared,
    )


class TurnStarted(NamedTuple):
    """The user has begun to speak; times count the audio of the session, in milliseconds."""

    item_id: str
    start_ms: float


class TurnStopped(NamedTuple):
    """The user has stopped speaking."""

    item_id: str
    start_ms: float
    end_ms: float


class IdleTimeout(NamedTuple):
    """The user has been silent since the last response ended."""

    item_id: str
    start_ms: float
    end_ms: float


class TurnDetection:
    """Detects turns in the frames of one session's audio.

    Args:
        settings: Its settings.
        at_ms: The length of the audio before the first frame, in milliseconds.

    Attributes:
        settings: Its settings; `configure` replaces them.
        at_ms: The length of the audio up to the last frame, in milliseconds.
        item_id: The id of the item that the current turn will become; "" between turns.
        start_ms: Where the current turn began, with what is kept from before it.
        spoken_ms: Where the speech of the current turn began.
    """

    def __init__(self, settings: TurnSettings, at_ms: float = 0.0) -> None:
        self.settings = settings
        self.at_ms = at_ms
        self.item_id = ""
        self.start_ms = self.spoken_ms = at_ms
        self._floor_ms = at_ms
        self._voiced_ms = 0.0
        self._silence_ms = 0.0
        self._idle_since_ms: float | None = None

    def configure(self, settings: TurnSettings) -> None:
        """Replace the settings."""
        self.settings = settings

    def follow(self, frames: Sequence[Frame]) -> Iterator[TurnStarted | TurnStopped | IdleTimeout]:
        """Find the turns in these frames; the caller may call `forget` or `wait` between two of them."""
        for frame in frames:
            self.at_ms += frame.duration_ms
            if self.at_ms <= self._floor_ms:
                continue
            is_voiced = frame.probability >= self.settings.threshold
            found = self._in_turn(frame, is_voiced) if self.item_id else self._between_turns(frame, is_voiced)
            if found:
                yield found

    def forget(self, before_ms: float) -> None:
        """Audio up to here was committed or dropped, so that no turn reaches back before it."""
        self._floor_ms = before_ms
        self.item_id = ""
        self._voiced_ms = 0.0

    def wait(self, since_ms: float | None) -> None:
        """Count the user's idle time from here; None while a response is in flight."""
        self._idle_since_ms = since_ms

    def _in_turn(self, frame: Frame, is_voiced: bool) -> TurnStopped | None:
        self._silence_ms = 0.0 if is_voiced else self._silence_ms + frame.duration_ms
        if self._silence_ms < self.settings.silence_ms or is_voiced:
            return None
        stopped = TurnStopped(self.item_id, self.start_ms, self.at_ms)
        self.forget(self.at_ms)
        return stopped

    def _between_turns(self, frame: Frame, is_voiced: bool) -> TurnStarted | IdleTimeout | None:
        self._voiced_ms = self._voiced_ms + frame.duration_ms if is_voiced else 0.0
        if self._voiced_ms >= SHORTEST_SPEECH_MS:
            self.item_id = new_id("item")
            self.spoken_ms = self.at_ms - self._voiced_ms
            self.start_ms = max(self._floor_ms, self.spoken_ms - self.settings.prefix_ms)
            self._silence_ms = 0.0
            self._idle_since_ms = None
            return TurnStarted(self.item_id, self.start_ms)
        since_ms, limit_ms = self._idle_since_ms, self.settings.idle_ms
        if self._voiced_ms or limit_ms is None or since_ms is None or self.at_ms - since_ms < limit_ms:
            return None
        self._idle_since_ms = None
        idle = IdleTimeout(new_id("item"), max(since_ms, self._floor_ms), self.at_ms)
        self.forget(self.at_ms)
        return idle
