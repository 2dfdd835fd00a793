"""A recording on the disk, read piece by piece as 16-bit samples of one channel."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from runner.audio.wav_reader import open_wav
from runner.errors import InputError, ProfileError, reason_of
from runner.inputs.compressed_audio import is_joined, mpeg_duration_s
from runner.installation import install_command

if TYPE_CHECKING:
    from pathlib import Path

_RATES = range(1000, 768_001)
"""The samples a second that a recording can have."""
_SLACK_S = 0.25
"""How much longer frames may last than what is read of them: encoders put silence around the sound."""


class _Reader(Protocol):
    rate: int
    samples: int
    """How many samples each channel has, as far as the file says."""

    def read(self, samples: int) -> bytes:
        """At most `samples` samples, mixed to one channel; nothing at the end."""

    def close(self) -> None:
        """Close the file."""


class RecordingFile:
    """An open recording; its methods may wait for the disk, so call them in a thread.

    Args:
        path: WAV of 16-bit samples; with the extra `audio` whatever libsndfile reads.

    Raises:
        InputError: There is no such file, it cannot be read, or it holds no audio.
        ProfileError: It needs a library that is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"the recording {path}"
        self._lock = threading.Lock()
        self._is_closed = False
        self._reader: _Reader = _opened(path, self.name)
        if problem := self._problem():
            self._reader.close()
            raise InputError(f"{self.name} {problem}")

    def _problem(self) -> str:
        if not self._reader.samples:
            return "holds no audio"
        return "" if self.rate in _RATES else f"says that it has {self.rate} samples a second"

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self._reader.rate

    @property
    def duration_s(self) -> float:
        """How long the recording lasts, as far as the file says, in seconds."""
        return self._reader.samples / self.rate

    def read(self, samples: int) -> bytes:
        """At most `samples` samples; nothing at the end.

        Raises:
            InputError: the file is damaged, or reading fails.
        """
        with self._lock:
            try:
                return b"" if self._is_closed else self._reader.read(samples)
            except (OSError, RuntimeError, ValueError) as error:
                msg = f"{self.name} cannot be read to its end: {error}"
                raise InputError(msg) from None
            finally:
                if self._is_closed:
                    self._reader.close()

    def close(self) -> None:
        """Close the file; a thread that still reads closes it in our place."""
        self._is_closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._reader.close()
            finally:
                self._lock.release()


def _opened(path: Path, name: str) -> _Reader:
    try:
        if wav := open_wav(path, name):
            return wav
        if path.is_file() and not path.stat().st_size:
            msg = f"{name} is empty"
            raise InputError(msg)
        return _any(path, name)
    except OSError as error:
        msg = f"{name} cannot be opened: {reason_of(error)}"
        raise InputError(msg, hint="`input.path` names it, or --set input.path=…") from None


def _any(path: Path, name: str) -> _Reader:
    try:
        import soundfile
    except (ImportError, OSError):
        msg = f"{name} is not WAV of 16-bit samples, and reading others needs soundfile"
        raise ProfileError(msg, hint=install_command("audio")) from None

    class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it carries no types
        """A file that is only read on: to seek after each piece, as is the rule, silences some MP3 files."""

        def seekable(self) -> bool:
            return False

    try:
        sound = _Sound(Forward(str(path)))
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        msg = f"{name} is no audio that can be read: {reason}"
        raise InputError(msg, hint="WAV, FLAC, OGG and MP3 can") from None
    if problem := _left_unread(path, sound):
        sound.close()
        raise InputError(f"{name} {problem}", hint="write it anew as one file: ffmpeg -i talk.mp3 whole.wav")
    return sound


def _left_unread(path: Path, sound: _Sound) -> str:
    """What libsndfile would leave unread without a word."""
    if sound.form == "MP3":
        length_s, lasts_s = sound.samples / sound.rate, mpeg_duration_s(path)
        if lasts_s > length_s + _SLACK_S:
            return f"lasts {lasts_s:.1f} s, of which {length_s:.1f} s can be read: it does not say how long it is"
    elif sound.form in {"OGG", "FLAC"} and is_joined(path, sound.form):
        return "is more than one recording: another one begins where the first ends"
    return ""


class _Sound:
    """Any format that libsndfile reads."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.form = str(file.format)
        self.rate = int(file.samplerate)
        self.samples = int(file.frames)

    def read(self, samples: int) -> bytes:
        import numpy as np

        # Floats hold 16-bit samples exactly, and are scaled whatever the file holds.
        mixed = self._file.read(samples, dtype="float32", always_2d=True).mean(axis=1)
        return bytes(np.clip(np.rint(mixed * 32768), -32768, 32767).astype("<i2").tobytes())

    def close(self) -> None:
        self._file.close()
