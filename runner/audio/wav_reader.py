"""WAV of 16-bit samples, read by what the file holds; the sizes in its header are believed only where they are true."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from runner.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_WIDTH = 2
_PCM = 1
_EXTENSIBLE = 0xFFFE
_CHUNK_HEAD_BYTES = 8
_SHORTEST_FORM_BYTES = 16
_MOST_CHUNKS = 10_000


class WavReader:
    """WAV of 16-bit samples, mono or stereo, without any library.

    Args:
        file: The open file; closed with the reader.
        layout: Where the samples stand in it, and what they are.

    Attributes:
        rate: Samples a second.
        samples: How many samples each channel has.
    """

    def __init__(self, file: BinaryIO, layout: _Layout) -> None:
        self._file = file
        self._frame_bytes = _WIDTH * layout.channels
        self._left_bytes = layout.audio_bytes // self._frame_bytes * self._frame_bytes
        self.rate = layout.rate
        self.samples = self._left_bytes // self._frame_bytes
        file.seek(layout.start)

    def read(self, samples: int) -> bytes:
        """At most `samples` samples, mixed to one channel; nothing at the end."""
        pcm = self._file.read(min(samples * self._frame_bytes, self._left_bytes))
        self._left_bytes -= len(pcm)
        pcm = pcm[: len(pcm) // self._frame_bytes * self._frame_bytes]
        if self._frame_bytes > _WIDTH:
            from runner.audio.samples import mono

            return mono(pcm)
        return pcm

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_wav(path: Path, name: str) -> WavReader | None:
    """A reader for WAV of 16-bit samples, None for anything else.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        InputError: It holds more than its header says, and it cannot be told what.
        OSError: Reading fails.
    """
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        layout = _layout(file, os.fstat(file.fileno()).st_size)
        if layout is None:
            return None
        if layout.is_joined:
            msg = f"{name} is more than one recording: another WAV begins where the first ends"
            raise InputError(msg, hint="join their samples: sox first.wav second.wav joined.wav")
        if layout.is_plain:
            stack.pop_all()
            return WavReader(file, layout)
        if layout.is_lying:
            msg = f"{name} holds more audio than its header says, which was never finished"
            raise InputError(msg, hint="write its header anew: sox --ignore-length talk.wav whole.wav")
    return None


class _Layout(NamedTuple):
    is_plain: bool
    channels: int
    rate: int
    start: int
    audio_bytes: int
    is_lying: bool
    """Whether there is more audio than the header says."""
    is_joined: bool
    """Whether another WAV follows."""


def _layout(file: BinaryIO, size_bytes: int) -> _Layout | None:
    """Where the audio of a WAV stands; None where it is none, or one whose parts stand in another order."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    at, form = len(head), b""
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(file, at)
        if chunk is None:
            break
        start = at + _CHUNK_HEAD_BYTES
        if chunk.name == b"fmt ":
            form = file.read(min(chunk.size_bytes, 40))
        if chunk.name == b"data":
            return _found(file, form, start, chunk.size_bytes, size_bytes)
        at = start + chunk.size_bytes + chunk.size_bytes % 2
    return None


def _found(file: BinaryIO, form: bytes, start: int, said_bytes: int, size_bytes: int) -> _Layout | None:
    if len(form) < _SHORTEST_FORM_BYTES:
        return None
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == _EXTENSIBLE and len(form) >= 26:
        kind = int.from_bytes(form[24:26], "little")
    is_plain = kind == _PCM and channels in {1, 2} and bits == _WIDTH * 8
    rest_bytes = size_bytes - start
    end = start + said_bytes + said_bytes % 2
    # A header that was written to a pipe, or before a crash, says too much, or nothing.
    is_cut = said_bytes >= rest_bytes
    is_true = is_cut or _are_chunks(file, end, size_bytes)
    following = None if is_true else _chunk(file, end)
    is_joined = bool(following and following.name == b"RIFF")
    audio_bytes = said_bytes if is_true and not is_cut else rest_bytes
    return _Layout(is_plain, channels, rate, start, audio_bytes, not is_true, is_joined)


class _Chunk(NamedTuple):
    name: bytes
    size_bytes: int


def _chunk(file: BinaryIO, at: int) -> _Chunk | None:
    """The name and size of what stands there, None at the end of the file."""
    file.seek(at)
    head = file.read(_CHUNK_HEAD_BYTES)
    return _Chunk(head[:4], int.from_bytes(head[4:], "little")) if len(head) == _CHUNK_HEAD_BYTES else None


def _are_chunks(file: BinaryIO, at: int, size_bytes: int) -> bool:
    """Whether nothing but whole chunks, such as a title, stands from there on; samples look otherwise."""
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(file, at)
        if chunk is None:
            return True
        at += _CHUNK_HEAD_BYTES + chunk.size_bytes
        is_named = all(32 <= each < 127 for each in chunk.name)
        if not is_named or at > size_bytes or chunk.name == b"RIFF":
            return False
        at += at % 2
    return False
