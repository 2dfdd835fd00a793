"""Compressed audio as it looks from outside: what kind it is, how long it lasts, and whether it is more than one."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD_BYTES: Final = 12
"""So much of a file tells its kind, but for audio that is nothing but frames."""

_BEGINNINGS: Final = {
    b"RIFF": "a WAV file",
    b"RF64": "a WAV file",
    b"BW64": "a WAV file",
    b"RIFX": "a WAV file",
    b"fLaC": "a FLAC file",
    b"OggS": "an OGG file",
    b"ID3": "an MP3 file",
    b"\x1a\x45\xdf\xa3": "a WebM or Matroska file",
    b".snd": "an AU file",
    b"caff": "a CAF file",
    b"#!AMR": "an AMR file",
    b"wvpk": "a WavPack file",
    b"MAC ": "a Monkey's Audio file",
    b"0&\xb2u": "a WMA file",
}
_ROW: Final = 3
"""So many frames in a row are no accident."""
_MPEG_RATES: Final = (44100, 48000, 32000)
_KBITS: Final = {
    (1, 1): (0, *range(32, 449, 32)),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By generation and layer of MPEG, the kilobits a second that a frame's header may name."""


class _Frame(NamedTuple):
    size_bytes: int
    duration_s: float


def kind_of(data: bytes) -> str:
    """What file begins like this, such as `a FLAC file`; nothing where these may be raw samples."""
    for beginning, name in _BEGINNINGS.items():
        if data.startswith(beginning):
            return name
    if data[4:8] == b"ftyp":
        return "an MP4 file"
    if data.startswith(b"FORM") and data[8:11] == b"AIF":
        return "an AIFF file"
    if _in_row(data, _mpeg_frame):
        return "an MP3 file"
    return "an AAC file" if _in_row(data, _adts_frame) else ""


def mpeg_duration_s(path: Path) -> float:
    """How long MPEG audio lasts, by its frames, in seconds; what is no frame is passed over."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, duration_s, is_first = 0, 0.0, True
        while at >= 0:
            if data[at : at + 3] == b"ID3":
                at += 10 + _synchsafe(data[at + 6 : at + 10])
            elif (frame := _mpeg_frame(data, at)) and (is_first or _goes_on(data, at + frame.size_bytes)):
                # The first frame may hold numbers about the others instead of sound.
                is_table = is_first and any(each in data[at : at + 200] for each in (b"Xing", b"Info", b"VBRI"))
                duration_s += 0 if is_table else frame.duration_s
                at += frame.size_bytes
                is_first = False
            else:
                at = _next_sync(data, at + 1)
        return duration_s


def is_joined(path: Path, form: str) -> bool:
    """Whether a file of this form, `OGG` or `FLAC`, is several, one behind the other; readers stop after the first."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if form == "FLAC":
            return data.find(b"fLaC\0\0\0\x22", 4) >= 0
        at, has_begun = data.find(b"OggS"), False
        while at >= 0:
            is_beginning = bool(data[at + 5 : at + 6] and data[at + 5] & 2)
            if is_beginning and has_begun:
                return True
            has_begun = has_begun or not is_beginning
            at = data.find(b"OggS", at + 27)
        return False


def _next_sync(data: mmap.mmap, at: int) -> int:
    """Where the next frame or tag may begin, -1 at the end."""
    found = [place for place in (data.find(b"\xff", at), data.find(b"ID3", at, at + 65536)) if place >= 0]
    return min(found, default=-1)


def _synchsafe(size: bytes) -> int:
    number = 0
    for each in size:
        number = number << 7 | each & 0x7F
    return number


def _goes_on(data: bytes | mmap.mmap, at: int) -> bool:
    """Whether a frame can end there: at another one, at a tag, or at the end of the file."""
    return at >= len(data) - 4 or _mpeg_frame(data, at) is not None or data[at : at + 3] in {b"ID3", b"TAG", b"APE"}


def _in_row(data: bytes, frame_at: Callable[[bytes, int], _Frame | None]) -> bool:
    at = 0
    for _ in range(_ROW):
        frame = frame_at(data, at)
        if frame is None:
            return False
        at += frame.size_bytes
    return True


def _mpeg_frame(data: bytes | mmap.mmap, at: int) -> _Frame | None:
    """The frame of MPEG audio whose header stands there, None where there is none of known length."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate_index, kbit_index, padding = head[2] >> 2 & 3, head[2] >> 4, head[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index == 3 or kbit_index in {0, 15}:
        return None
    generation = 1 if version == 3 else 2
    rate = _MPEG_RATES[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    bits = _KBITS[generation, layer][kbit_index] * 1000
    if layer == 1:
        return _Frame((12 * bits // rate + padding) * 4, 384 / rate)
    samples = 576 if generation == 2 and layer == 3 else 1152
    return _Frame(samples // 8 * bits // rate + padding, samples / rate)


def _adts_frame(data: bytes | mmap.mmap, at: int) -> _Frame | None:
    """The frame of AAC whose header stands there, None where there is none."""
    head = data[at : at + 6]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return None
    size_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return _Frame(size_bytes, 0) if size_bytes > 7 else None
