"""What the local endpoint hears and speaks with: plain rules, or models on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class NotUnderstood(Exception):
    """Audio whose words cannot be told; nothing is ever invented."""


class Frame(NamedTuple):
    """A stretch of audio, and how likely somebody speaks in it."""

    duration_ms: float
    probability: float
    """0 to 1, to be compared with the session's `threshold`."""


class Detector(Protocol):
    """Listens for speech; one for each session, with a memory of its own."""

    def detect(self, pcm: bytes) -> list[Frame]:
        """The frames that these samples complete, in order; what is left over waits for the next ones."""


class Transcriber(Protocol):
    """Writes down what was said."""

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """The words of one turn.

        Args:
            pcm: 16-bit samples, mono.
            rate: Samples a second.

        Raises:
            NotUnderstood: They cannot be told.
        """


class Synthesizer(Protocol):
    """Says a text."""

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """The text in pieces, each with its sound: 16-bit samples, mono, at this rate."""


@dataclass(frozen=True)
class SpeechEngines:
    """Everything that an endpoint hears and speaks with.

    Args:
        detector: Makes a detector for a session whose input has this many samples a second.
        transcriber: Shared by all sessions; it is asked for one turn at a time.
        voice: Shared by all sessions.
        is_slow: Whether all of it is to be called in worker threads.
        simulated: Whether these are rules that stand in for models.
    """

    detector: Callable[[int], Detector]
    transcriber: Transcriber
    voice: Synthesizer
    is_slow: bool
    simulated: bool
