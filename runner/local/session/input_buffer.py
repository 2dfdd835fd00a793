"""The input buffer of a session: what was sent, what turn detection makes of it, and what becomes an item."""

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
"""The buffer holds ten minutes; of longer turns the beginning is lost."""

_KEPT_IN_SILENCE_MS: Final = 30_000
"""With turn detection, what nobody spoke in is dropped after half a minute."""
_BACKLOG_MS: Final = 5_000


class TurnAudio(NamedTuple):
    """Audio that became an item."""

    audio: bytes
    audio_format: AudioFormat

    def pcm(self) -> bytes:
        """Its 16-bit samples."""
        return self.audio_format.decode(self.audio)


class DetectedTurn(NamedTuple):
    """A turn that is over, or the silence of a user who was idle for too long, with its audio."""

    found: TurnStopped | IdleTimeout
    audio: TurnAudio


Detection = TurnStarted | DetectedTurn


class InputBuffer:
    """Keeps the audio of a session and follows who speaks in it; the detector may be slow.

    Args:
        detector: Makes a detector for so many samples a second.
        is_slow: Whether the detector belongs into a worker thread, by way of `take_work`.
    """

    def __init__(self, detector: Callable[[int], Detector], *, is_slow: bool) -> None:
        self._new_detector = detector
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
        """The item of a turn that was being heard when turn detection was turned off."""

    @property
    def item_id(self) -> str:
        """The item that what is being said will become; nothing while nobody is heard to speak."""
        return self._turns.item_id if self._turns else ""

    @property
    def received_ms(self) -> float:
        """How much audio the session was sent."""
        return self._base_ms + self._audio_format.ms(len(self._audio))

    @property
    def is_behind(self) -> bool:
        """Whether so much audio waits for a slow detector that no more should be taken."""
        return len(self._pending) * 1000 > 2 * self._audio_format.rate * _BACKLOG_MS

    def configure(self, audio_format: AudioFormat, settings: TurnSettings | None) -> None:
        """Take over the session's settings; another format drops what the buffer holds."""
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
            self._turns.settings = settings

    def append(self, audio: bytes) -> Iterator[Detection]:
        """Add audio; what that brings about comes as it is iterated over."""
        self._audio += audio
        if self._turns is None:
            self._trim(self.received_ms - KEPT_MS)
        elif self._is_slow:
            self._pending += self._samples(audio)
        else:
            self._detector = self._detector or self._new_detector(self._audio_format.rate)
            yield from self._follow(self._turns, self._detector.detect(self._samples(audio)))

    def take_work(self) -> Callable[[], Callable[[], Iterator[Detection]]] | None:
        """The next thing to be done in a worker thread; it returns what is to be iterated over afterwards."""
        if self.is_detecting or not self._pending or self._turns is None:
            return None
        self.is_detecting = True
        pcm = bytes(self._pending)
        self._pending.clear()
        turns, detector, rate = self._turns, self._detector, self._audio_format.rate

        def work() -> Callable[[], Iterator[Detection]]:
            try:
                listener = detector or self._new_detector(rate)
                frames = listener.detect(pcm)
            except Exception:  # noqa: BLE001  # a model may raise anything; this is then taken for silence
                logs.logger().exception("detector_failed")
                lost = Frame(len(pcm) * 1000 / (2 * rate), 0.0)
                return partial(self._detected, turns, detector, [lost])
            return partial(self._detected, turns, listener, frames)

        return work

    def commit(self) -> tuple[str, TurnAudio]:
        """Take all that the buffer holds, and the id of the item that it becomes.

        Raises:
            ApiError: It is not enough.
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
        """What is being said, as if it ended here; None where nobody speaks."""
        if self._turns is None or not self._turns.item_id:
            return None
        audio = self._cut(self._turns.start_ms, self.received_ms)
        self._turns.forget(self.received_ms)
        return audio

    def clear(self) -> None:
        """Drop what the buffer holds; the time of the session goes on."""
        self._emptied()

    def responding(self) -> None:
        """A response is in flight: nobody is idle."""
        self._wait(None)

    def responded(self, played_until_ms: float) -> None:
        """A response is over, and heard out when the session was sent so much audio."""
        self._wait(max(self.received_ms, played_until_ms))

    def _wait(self, since_ms: float | None) -> None:
        self._idle_since_ms = since_ms
        if self._turns:
            self._turns.wait(since_ms)

    def _emptied(self) -> bytes:
        """All that the buffer held, half a sample at its end included; what comes next begins anew."""
        audio, self._base_ms = bytes(self._audio), self.received_ms
        self._audio.clear()
        self._odd, self._announced_id = b"", ""
        if self._turns:
            self._turns.forget(self._base_ms)
        return audio

    def _samples(self, audio: bytes) -> bytes:
        """The samples that this audio completes; a piece may end within one."""
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
        """Drop what is older; whole samples, so the base stays where the buffer begins."""
        excess = min(self._audio_format.size_bytes(max(0.0, before_ms - self._base_ms)), len(self._audio))
        if excess:
            del self._audio[:excess]
            self._base_ms += self._audio_format.ms(excess)
