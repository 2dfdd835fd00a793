"""A recording of a session: the answers as they are heard, what was said to it, or both side by side."""

from __future__ import annotations

from array import array
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from runner.audio.playout import Playout
from runner.audio.resampling import Resampler
from runner.outputs.session_output import Player
from runner.outputs.wav_file import WavFile
from runner.outputs.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.audio.playout import Heard
    from runner.outputs.session_output import Fail, Piece
    from runner.session.session import Session
    from runner.settings.output import AudioOutput

_FLUSH_S = 0.1
"""How long samples may wait for the disk so that several are written at once; a crash loses no more, in seconds."""

_JITTER_S = 0.1
"""What comes so little late goes on without a gap, in seconds."""

_ZEROED_FRAMES = 1 << 16

_SIDES: Final = {"output": ("output",), "input": ("input",), "both": ("input", "output")}
"""The tracks of a recording, left to right."""


class _Laid(NamedTuple):
    """Samples and their place."""

    channel: int
    at_s: float
    pcm: bytes
    rate: int


class _CutBack(NamedTuple):
    """From here on a track is silent again."""

    channel: int
    at_s: float


class WavRecording(Writer[_Laid | _CutBack], Player):
    """A WAV file in which audio has the place in time at which it was said or heard.

    Where only one side is recorded, its pieces follow upon each other without the silence between: so a recording
    lays its pieces out in its own time, which is that of no clock, and not in that of the playback.

    Args:
        output: The profile's settings.
        path: The file.
        rates: Samples a second that the session asks for, by side (`input`, `output`).
        fail: Called with what goes wrong later.

    Raises:
        OutputError: the file cannot be made.
        ProfileError: both sides are recorded, their rates differ and the library that converts them is not installed.
    """

    def __init__(self, output: AudioOutput, path: Path, rates: Mapping[str, int], fail: Fail) -> None:
        self._sides = _SIDES[output.track]
        if len(self._sides) > 1:
            Resampler(rates["input"], rates["output"])
        rate = max(rates[side] for side in self._sides)
        self._wav = WavFile(path, channels=len(self._sides), rate=rate)
        self._begun_s = 0.0
        self._session: Session | None = None
        self._laid = Playout()
        self._input_end_s = 0.0
        super().__init__(
            f"the recording {path}",
            _Tape(self._wav, len(self._sides)),
            max_queue_bytes=output.max_queue_bytes,
            interval_s=_FLUSH_S,
            fail=fail,
        )

    def begin(self, session: Session) -> None:
        """Count the session's time from now on; the formats of its audio are known."""
        self._begun_s = anyio.current_time()
        self._session = session
        if "input" in self._sides:
            session.read_input(self._take_input)
        configuration = session.state.configuration
        forms = {"input": configuration.input_format, "output": configuration.output_format}
        self._wav.set_rate(max(forms[side].rate for side in self._sides))

    def _take_input(self, audio: bytes | bytearray | memoryview) -> None:
        """Record audio that goes to the session, in its input format."""
        if self._session is None:
            return
        form = self._session.state.configuration.input_format
        at_s = self._input_end_s
        if len(self._sides) > 1:
            now_s = anyio.current_time() - self._begun_s
            at_s = at_s if now_s - at_s <= _JITTER_S else now_s
        self._input_end_s = at_s + form.seconds(len(audio))
        pcm = form.decode(bytes(audio))
        self.put(_Laid(self._sides.index("input"), at_s, pcm, form.rate), len(pcm))

    def play(self, piece: Piece) -> None:
        """Record a piece of an answer where it will be heard."""
        now_s = anyio.current_time() - self._begun_s if len(self._sides) > 1 else 0.0
        at_s = self._laid.put(piece.item_id, len(piece.pcm) * 500 / piece.rate, now_s)
        self.put(_Laid(self._sides.index("output"), at_s, piece.pcm, piece.rate), len(piece.pcm))

    def cut(self, heard: Sequence[Heard]) -> None:
        """Take out again what was not heard."""
        ends = (self._laid.time_of(each.item_id, each.heard_ms) for each in heard)
        at_s = min((each for each in ends if each is not None), default=self._laid.end_s)
        if at_s < self._laid.end_s:
            self._laid.stop(at_s)
            self.put(_CutBack(self._sides.index("output"), at_s), 0)


class _Tape:
    """Puts tracks into a file; works in the writer's thread."""

    def __init__(self, wav: WavFile, channels: int) -> None:
        self._wav = wav
        self._tracks = [_Track(wav, channel, channels) for channel in range(channels)]

    def write(self, items: Sequence[_Laid | _CutBack]) -> None:
        for item in items:
            track = self._tracks[item.channel]
            if isinstance(item, _Laid):
                track.put(item.at_s, item.pcm, item.rate)
            else:
                track.cut(item.at_s, keep=max(each.end for each in self._tracks if each is not track or each.is_alone))
        self._wav.flush()

    def finish(self) -> None:
        for each in self._tracks:
            each.complete()
        self._wav.finish()

    def close(self) -> None:
        self._wav.close()


class _Track:
    """One side of a recording, at the rate of the file."""

    def __init__(self, wav: WavFile, channel: int, channels: int) -> None:
        self._wav = wav
        self._channel = channel
        self._channels = channels
        self.is_alone = channels == 1
        self.end = 0
        """Where what is written ends, in frames of the file."""
        self._due = Fraction(0)
        """Where what was taken ends; the resampler may hold some of it back."""
        self._rate = 0
        self._resampler: Resampler | None = None

    def put(self, at_s: float, pcm: bytes, rate: int) -> None:
        frame = round(at_s * self._wav.rate)
        if self._resampler is None or rate != self._rate or abs(frame - self._due) > 1:
            self.complete()
            self._resampler, self._rate = Resampler(rate, self._wav.rate), rate
            self.end, self._due = frame, Fraction(frame)
        self._due += Fraction(len(pcm) // 2 * self._wav.rate, rate)
        self._lay(self._resampler.convert(pcm))

    def complete(self) -> None:
        """Write what the resampler holds back: nothing follows at once."""
        if self._resampler is not None and self._rate != self._wav.rate:
            self._lay(self._resampler.convert(b"", last=True))
        self._resampler = None

    def cut(self, at_s: float, *, keep: int) -> None:
        """Take out what comes after this time; the file stays as long as what it must keep."""
        self._resampler = None
        frame = min(round(at_s * self._wav.rate), self.end)
        self.end = frame
        self._wav.cut(frame if self.is_alone else max(frame, keep))
        while frame < self._wav.frames:
            frames = min(_ZEROED_FRAMES, self._wav.frames - frame)
            self._mix(frame, bytes(frames * 2))
            frame += frames

    def _lay(self, pcm: bytes) -> None:
        if self.is_alone:
            self._wav.put(self.end, pcm)
        else:
            self._mix(self.end, pcm)
        self.end += len(pcm) // 2

    def _mix(self, frame: int, pcm: bytes) -> None:
        """Replace this track's samples, whatever the other one holds there."""
        frames = array("h", self._wav.get(frame, len(pcm) // 2))
        frames[self._channel :: self._channels] = array("h", pcm)
        self._wav.put(frame, frames.tobytes())
