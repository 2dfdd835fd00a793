"""The interfaces of the engines of speech: a detector, a transcriber, and a voice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class NotUnderstood(Exception):
    """The transcriber has found no words in the audio, and invents none."""


class Frame(NamedTuple):
    """A short stretch of audio, and the probability of speech in it."""

    duration_ms: float
    probability: float
    """0 to 1, to be compared with the session's `threshold`."""


class Detector(Protocol):
    """Detects speech in the audio of one session; it keeps the state of that audio."""

    def detect(self, pcm: bytes) -> list[Frame]:
        """Returns the frames that these 16-bit samples complete, in order; the rest waits for the next samples."""


class Transcriber(Protocol):
    """Transcribes speech."""

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Returns the words of one turn.

        Args:
            pcm: 16-bit samples, mono.
            rate: Samples a second.

        Raises:
            NotUnderstood: The transcriber finds no words.
        """


class Synthesizer(Protocol):
    """Speaks texts."""

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Returns the text in pieces, each with its audio: 16-bit samples, mono, `rate` a second."""


@dataclass(frozen=True)
class SpeechEngines:
    """The engines of speech.

    Args:
        new_detector: Makes a detector for a session whose audio has so many samples a second.
        transcriber: The transcriber of all sessions; it transcribes one turn at a time.
        voice: The voice of all sessions.
        is_slow: Whether worker threads must call all of them.
        simulated: Whether they are rules that stand in for models.
    """

    new_detector: Callable[[int], Detector]
    transcriber: Transcriber
    voice: Synthesizer
    is_slow: bool
    simulated: bool
