"""The input buffer of a session: the client's audio, and the turns that turn detection finds in it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from runner import logs
from runner.audio.format import PCM, AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.identifiers import new_id
from runner.local.session.turn_detection import IdleTimeout, TurnDetection, TurnSettings, TurnStarted, TurnStopped
from runner.local.speech.interfaces import Detector, Frame

MIN_COMMIT_MS: Final = 100
KEPT_MS: Final = 600_000
"""The buffer holds ten minutes; a longer turn loses its beginning."""

_KEPT_IN_SILENCE_MS: Final = 30_000
"""With turn detection, silence is dropped after half a minute."""
_BACKLOG_MS: Final = 5_000


class TurnAudio(NamedTuple):
    """The audio of a turn."""

    data: bytes
    audio_format: AudioFormat

    def pcm(self) -> bytes:
        """The audio as 16-bit samples, mono."""
        return self.audio_format.decode(self.data)


class DetectedTurn(NamedTuple):
    """A turn that is over, or the silence of an idle user, with its audio."""

    found: TurnStopped | IdleTimeout
    audio: TurnAudio


Detection = TurnStarted | DetectedTurn


class InputBuffer:
    """Keeps the audio that the client has sent, and detects turns in it.

    Args:
        new_detector: Makes a detector for audio of so many samples a second.
        is_slow: Whether the detector must be called in a worker thread, by way of `take_work`.

    Attributes:
        is_detecting: Whether a worker thread has audio of the buffer.
    """

    def __init__(self, new_detector: Callable[[int], Detector], *, is_slow: bool) -> None:
        self._new_detector = new_detector
        self._is_slow = is_slow
        self._audio_format = PCM
        self._turns: TurnDetection | None = None
        self._detector: Detector | None = None
        self._audio = bytearray()
        self._base_ms = 0.0
        self._pending = bytearray()
        self._odd = b""
        self.is_detecting = False
        self._idle_since_ms: float | None = None
        self._announced_id = ""
        """The id of the item that was announced for a turn before turn detection was turned off."""

    @property
    def item_id(self) -> str:
        """The id of the item that the current turn will become; "" between turns."""
        return self._turns.item_id if self._turns else ""

    @property
    def spoken_ms(self) -> float:
        """Where the speech of the latest turn began, without what is kept from before it."""
        return self._turns.spoken_ms if self._turns else 0.0

    @property
    def received_ms(self) -> float:
        """The length of all audio that the client has sent, in milliseconds."""
        return self._base_ms + self._audio_format.ms(len(self._audio))

    @property
    def is_behind(self) -> bool:
        """Whether so much audio waits for a slow detector that the session takes no more messages."""
        return len(self._pending) * 1000 > 2 * self._audio_format.rate * _BACKLOG_MS

    def configure(self, audio_format: AudioFormat, settings: TurnSettings | None) -> None:
        """Take over the session's settings, None for no turn detection; another format clears the buffer."""
        if audio_format != self._audio_format:
            self._base_ms = self.received_ms
            self._audio.clear()
            self._audio_format = audio_format
            self._turns = None
        if settings is None:
            self._announced_id = self._announced_id or self.item_id
            self._turns = None
            self._pending.clear()
        elif self._turns is None:
            self._turns = TurnDetection(settings, self.received_ms)
            self._turns.wait(self._idle_since_ms)
            self._detector = None
            self._pending.clear()
            self._odd = b""
        else:
            self._turns.configure(settings)

    def append(self, audio: bytes) -> Iterator[Detection]:
        """Add audio; returns what turn detection finds, and detects only as the caller iterates over it."""
        self._audio += audio
        if self._turns is None:
            self._trim(self.received_ms - KEPT_MS)
        elif self._is_slow:
            self._pending += self._samples(audio)
        else:
            self._detector = self._detector or self._new_detector(self._audio_format.rate)
            yield from self._follow(self._turns, self._detector.detect(self._samples(audio)))

    def take_work(self) -> Callable[[], Callable[[], Iterator[Detection]]] | None:
        """The detection that a worker thread does next; it returns what makes the iterator that `append` returns."""
        if self.is_detecting or not self._pending or self._turns is None:
            return None
        self.is_detecting = True
        pcm = bytes(self._pending)
        self._pending.clear()
        turns, detector, rate = self._turns, self._detector, self._audio_format.rate

        def work() -> Callable[[], Iterator[Detection]]:
            try:
                current = detector or self._new_detector(rate)
                frames = current.detect(pcm)
            except Exception:  # noqa: BLE001  # a model may raise anything; the audio then counts as silence
                logs.logger().exception("detector_failed")
                lost = Frame(len(pcm) * 1000 / (2 * rate), 0.0)
                return partial(self._detected, turns, detector, [lost])
            return partial(self._detected, turns, current, frames)

        return work

    def commit(self) -> tuple[str, TurnAudio]:
        """Empty the buffer; returns its audio, and before it the id of the item that the audio becomes.

        Raises:
            ApiError: The buffer holds too little audio.
        """
        held_ms = self._audio_format.ms(len(self._audio))
        if held_ms < MIN_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio."
            )
            raise ApiError(message, code="input_audio_buffer_commit_empty")
        item_id = self.item_id or self._announced_id or new_id("item")
        return item_id, TurnAudio(self._emptied(), self._audio_format)

    def end_turn(self) -> TurnAudio | None:
        """End the current turn here; returns its audio, or None between turns."""
        if self._turns is None or not self._turns.item_id:
            return None
        audio = self._cut(self._turns.start_ms, self.received_ms)
        self._turns.forget(self.received_ms)
        return audio

    def clear(self) -> None:
        """Drop what the buffer holds; the time of the session goes on."""
        self._emptied()

    def responding(self) -> None:
        """A response has begun: the user is not idle while it lasts."""
        self._wait(None)

    def responded(self, played_until_ms: float) -> None:
        """A response has ended; the user is idle once the client has sent audio up to the end of its playback."""
        self._wait(max(self.received_ms, played_until_ms))

    def _wait(self, since_ms: float | None) -> None:
        self._idle_since_ms = since_ms
        if self._turns:
            self._turns.wait(since_ms)

    def _emptied(self) -> bytes:
        """All audio of the buffer, with half a sample at its end; the next audio begins with a whole one."""
        audio, self._base_ms = bytes(self._audio), self.received_ms
        self._audio.clear()
        self._odd, self._announced_id = b"", ""
        if self._turns:
            self._turns.forget(self._base_ms)
        return audio

    def _samples(self, audio: bytes) -> bytes:
        """The samples that this audio completes; an append may end within one."""
        audio = self._odd + audio
        whole = len(audio) - len(audio) % self._audio_format.sample_bytes
        self._odd = audio[whole:]
        return self._audio_format.decode(audio[:whole])

    def _detected(self, turns: TurnDetection, detector: Detector | None, frames: list[Frame]) -> Iterator[Detection]:
        self.is_detecting = False
        if turns is self._turns:
            self._detector = detector
            yield from self._follow(turns, frames)

    def _follow(self, turns: TurnDetection, frames: list[Frame]) -> Iterator[Detection]:
        for found in turns.follow(frames):
            if isinstance(found, TurnStarted):
                yield found
            else:
                yield DetectedTurn(found, self._cut(found.start_ms, found.end_ms))
        self._trim(self.received_ms - KEPT_MS)
        if not turns.item_id:
            self._trim(turns.at_ms - max(_KEPT_IN_SILENCE_MS, turns.settings.prefix_ms))

    def _cut(self, start_ms: float, end_ms: float) -> TurnAudio:
        first, last = (self._audio_format.size_bytes(max(0.0, at_ms - self._base_ms)) for at_ms in (start_ms, end_ms))
        audio = bytes(self._audio[first:last])
        self._trim(end_ms)
        return TurnAudio(audio, self._audio_format)

    def _trim(self, before_ms: float) -> None:
        """Drop older audio, in whole samples, so that the base stays where the buffer begins."""
        excess = min(self._audio_format.size_bytes(max(0.0, before_ms - self._base_ms)), len(self._audio))
        if excess:
            del self._audio[:excess]
            self._base_ms += self._audio_format.ms(excess)
