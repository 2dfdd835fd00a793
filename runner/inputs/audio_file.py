"""A recording on the disk, read piece by piece as 16-bit samples of one channel."""

from __future__ import annotations

import threading
import wave
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import InputError, ProfileError, reason_of

if TYPE_CHECKING:
    from pathlib import Path

_WIDTH = 2


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
        try:
            with path.open("rb") as file:
                is_empty = not file.read(1)
        except OSError as error:
            msg = f"{self.name} cannot be opened: {reason_of(error)}"
            raise InputError(msg, hint="`input.path` names it, or --set input.path=…") from None
        if is_empty:
            msg = f"{self.name} is empty"
            raise InputError(msg)
        self._reader = _plain(path) or _any(path, self.name)
        if not self._reader.samples:
            self._reader.close()
            msg = f"{self.name} holds no audio"
            raise InputError(msg)

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
            except (OSError, EOFError, RuntimeError, wave.Error) as error:
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


def _plain(path: Path) -> _Reader | None:
    """A reader for what the standard library can read, None for anything else."""
    try:
        file = wave.open(str(path), "rb")  # noqa: SIM115  # it is read later
    except (wave.Error, EOFError, OSError):
        return None
    if file.getsampwidth() != _WIDTH or file.getnchannels() > 2 or file.getframerate() < 1:
        file.close()
        return None
    return _Wave(file, path.stat().st_size)


class _Wave:
    """WAV of 16-bit samples, mono or stereo, without any library."""

    def __init__(self, file: wave.Wave_read, size_bytes: int) -> None:
        self._file = file
        self._is_stereo = file.getnchannels() == 2
        self.rate = file.getframerate()
        # The header of a WAV that was written to a pipe does not know its length.
        self.samples = min(file.getnframes(), size_bytes // (_WIDTH * file.getnchannels()))

    def read(self, samples: int) -> bytes:
        pcm = self._file.readframes(samples)
        if self._is_stereo:
            from runner.audio.samples import mono

            return mono(pcm[: len(pcm) - len(pcm) % (2 * _WIDTH)])
        return pcm[: len(pcm) - len(pcm) % _WIDTH]

    def close(self) -> None:
        self._file.close()


def _any(path: Path, name: str) -> _Reader:
    try:
        import soundfile
    except (ImportError, OSError):
        msg = f"{name} is not WAV of 16-bit samples, and reading others needs soundfile"
        raise ProfileError(msg, hint="pip install 'rt-run[audio]'") from None

    class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it carries no types
        """A file that is only read on: to seek after each piece, as is the rule, silences some MP3 files."""

        def seekable(self) -> bool:
            return False

    try:
        return _Sound(Forward(str(path)))
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        msg = f"{name} is no audio that can be read: {reason}"
        raise InputError(msg, hint="WAV, FLAC, OGG and MP3 can") from None


class _Sound:
    """Any format that libsndfile reads."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.rate = int(file.samplerate)
        self.samples = int(file.frames)

    def read(self, samples: int) -> bytes:
        import numpy as np

        # Floats hold 16-bit samples exactly, and are scaled whatever the file holds.
        mixed = self._file.read(samples, dtype="float32", always_2d=True).mean(axis=1)
        return bytes(np.clip(np.rint(mixed * 32768), -32768, 32767).astype("<i2").tobytes())

    def close(self) -> None:
        self._file.close()
