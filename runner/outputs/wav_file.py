"""A WAV file that may be opened at any moment: its header is right after every write, also after a crash."""

import os
import struct
from io import FileIO
from pathlib import Path

from runner.append_file import finish, make_folder, not_opened
from runner.errors import OutputError, reason_of
from runner.standard_streams import put_all

HEADER_BYTES = 44
MAX_DATA_BYTES = 0xFFFFFFFF - HEADER_BYTES
"""What a WAV file can hold: its sizes are numbers of 32 bits."""

_SAMPLE_BYTES = 2


class WavFile:
    """16-bit samples in a new file that only its owner may read; samples are written before the sizes that count them.

    Args:
        path: The file, which must not exist yet; folders are made.
        channels: How many tracks there are side by side.
        rate: Samples a second of each.

    Raises:
        OutputError: the file exists or cannot be made.
    """

    def __init__(self, path: Path, *, channels: int, rate: int) -> None:
        self._rate = rate
        self._path = path
        self._frame_bytes = channels * _SAMPLE_BYTES
        self._channels = channels
        self._size_bytes = 0
        try:
            make_folder(path.parent)
            self._file = FileIO(path, "x+", opener=_private)
        except (OSError, ValueError) as error:
            if isinstance(error, FileExistsError) and path.is_file():
                msg = f"the recording {path} exists already and is not overwritten"
                hint = "put {started} or {run_id} into the path, so that every session has its own"
                raise OutputError(msg, hint=hint) from None
            reason = ValueError("it is no regular file") if path.exists() else error
            raise not_opened(f"the recording {path}", reason) from None
        try:
            self.flush()
        except OSError as error:
            self._file.close()
            msg = f"the recording {path} cannot be written: {reason_of(error)}"
            raise OutputError(msg) from None

    @property
    def rate(self) -> int:
        """Samples a second of each track."""
        return self._rate

    def set_rate(self, rate: int) -> None:
        """Change the rate, which is possible until the first sample is written."""
        self._rate = rate

    @property
    def frames(self) -> int:
        """How long it is, in samples of a track."""
        return self._size_bytes // self._frame_bytes

    def put(self, frame: int, data: bytes) -> None:
        """Write whole frames at a place, which may lie beyond the end: what is between is silent.

        Raises:
            OutputError: a WAV file cannot hold so much.
            OSError: the disk does not take it.
        """
        start = frame * self._frame_bytes
        if start + len(data) > MAX_DATA_BYTES:
            msg = f"the recording {self._path} has reached the 4 GiB that a WAV file can hold"
            raise OutputError(msg, hint="record shorter sessions, or one track only")
        self._file.seek(HEADER_BYTES + start)
        put_all(self._file, data)
        self._size_bytes = max(self._size_bytes, start + len(data))

    def get(self, frame: int, frames: int) -> bytes:
        """What stands at a place, silence beyond the end included; raises `OSError`."""
        self._file.seek(HEADER_BYTES + frame * self._frame_bytes)
        wanted = frames * self._frame_bytes
        found = b""
        while len(found) < wanted and (more := self._file.read(wanted - len(found))):
            found += more
        return found.ljust(wanted, b"\0")

    def cut(self, frames: int) -> None:
        """Make it this short; raises `OSError`."""
        if frames < self.frames:
            self._size_bytes = frames * self._frame_bytes
            self.flush()
            self._file.truncate(HEADER_BYTES + self._size_bytes)

    def flush(self) -> None:
        """Write the header with the sizes of everything written; raises `OSError`."""
        frame_bytes, size_bytes = self._frame_bytes, self._size_bytes
        form = (16, 1, self._channels, self._rate, self._rate * frame_bytes, frame_bytes, _SAMPLE_BYTES * 8)
        head = struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + size_bytes, b"WAVE")
        header = head + struct.pack("<4sIHHIIHH", b"fmt ", *form) + struct.pack("<4sI", b"data", size_bytes)
        self._file.seek(0)
        put_all(self._file, header)

    def finish(self) -> None:
        """Bring everything to the disk, and close; raises `OSError`."""
        self.flush()
        finish(self._file)

    def close(self) -> None:
        """Close at once; a second time does nothing."""
        self._file.close()


def _private(path: str, flags: int) -> int:
    # Only its owner may read what is said in a session.
    return os.open(path, flags, mode=0o600)
