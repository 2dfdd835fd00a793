"""WAV is read by what the file holds."""

import random
import struct
from pathlib import Path

import pytest

from runner.audio.wav_reader import open_wav
from runner.errors import InputError
from tests.helpers.hearing_peers import tone

PCM = tone(0.5)
FORM = struct.pack("<HHIIHH", 1, 1, 24000, 48000, 2, 16)
OPEN = 0xFFFFFFFF


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    """A chunk, which may say that it has another size."""
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    """A file of these chunks, which may say that it has another size."""
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


FORMAT = chunk(b"fmt ", FORM)
EXTENSIBLE = struct.pack("<HHIIHHHHIH14x", 0xFFFE, 1, 24000, 48000, 2, 16, 22, 16, 4, 1)
TITLE = chunk(b"LIST", b"INFOISFT\x04\0\0\0abc\0")
WHOLE = {
    "right": riff(FORMAT, chunk(b"data", PCM)),
    "the file said to end before its audio": riff(FORMAT, chunk(b"data", PCM), size=36),
    "the file said to end in the middle": riff(FORMAT, chunk(b"data", PCM), size=5000),
    "a title before the audio": riff(FORMAT, TITLE, chunk(b"data", PCM), size=36),
    "a title behind the audio": riff(FORMAT, chunk(b"data", PCM), TITLE),
    "titles of odd length": riff(chunk(b"JUNK", b"abc"), FORMAT, chunk(b"data", PCM), chunk(b"id3 ", b"abcde")),
    "sizes never filled in": riff(FORMAT, chunk(b"data", PCM, 0), size=0),
    "only the audio's size never filled in": riff(FORMAT, chunk(b"data", PCM, 0)),
    "sizes of a pipe": riff(FORMAT, chunk(b"data", PCM, OPEN), size=OPEN),
    "sizes of the last moment before a crash": riff(FORMAT, chunk(b"data", PCM, 4800), size=4836),
    "extensible": riff(chunk(b"fmt ", EXTENSIBLE), chunk(b"data", PCM)),
    "a few bytes behind": riff(FORMAT, chunk(b"data", PCM)) + b"\0\0\0",
}


@pytest.mark.parametrize("name", WHOLE)
def test_all_of_the_audio_is_read_whatever_the_header_says(tmp_path: Path, name: str) -> None:
    """To the sample, in pieces of any size, and what is no audio is left out."""
    (tmp_path / "x.wav").write_bytes(WHOLE[name])
    reader = open_wav(tmp_path / "x.wav", "it")
    assert reader
    pieces = []
    while piece := reader.read(777):
        pieces.append(piece)
    reader.close()

    assert b"".join(pieces) == PCM
    assert (reader.samples, reader.rate) == (len(PCM) // 2, 24000)


def test_a_header_alone_holds_no_audio(tmp_path: Path) -> None:
    """Neither does one with a title behind it."""
    counts = []
    for data in (riff(FORMAT, chunk(b"data", b"")), riff(FORMAT, chunk(b"data", b""), TITLE)):
        (tmp_path / "x.wav").write_bytes(data)
        reader = open_wav(tmp_path / "x.wav", "it")
        assert reader
        counts.append(reader.samples)
        reader.close()

    assert counts == [0, 0]


def wide(size: int | None = None) -> bytes:
    """A WAV of 24-bit samples."""
    return riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 24000, 72000, 3, 24)), chunk(b"data", bytes(7200), size))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (WHOLE["right"] * 2, "it is more than one recording"),
        (wide(0), "it holds more audio than its header says"),
        (wide(720), "it holds more audio than its header says"),
    ],
)
def test_what_cannot_be_read_whole_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    """A part of it would pass for all."""
    (tmp_path / "x.wav").write_bytes(data)

    with pytest.raises(InputError, match=problem):
        open_wav(tmp_path / "x.wav", "it")


@pytest.mark.parametrize("data", [wide(), b"RIFF", b"", b"RIFX" + bytes(40), riff(FORMAT), riff(chunk(b"data", PCM))])
def test_other_files_are_for_other_readers(tmp_path: Path, data: bytes) -> None:
    """Wider samples, other forms, and parts in another order."""
    (tmp_path / "x.wav").write_bytes(data)

    assert open_wav(tmp_path / "x.wav", "it") is None


def test_damage_is_an_error_of_the_input_or_none(tmp_path: Path) -> None:
    """Whatever is wrong in the file, nothing else is raised and reading ends."""
    chance = random.Random(1)  # noqa: S311  # the same in each run
    for _ in range(500):
        data = bytearray(chance.choice(list(WHOLE.values()))[:2000])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(60)] = chance.randrange(256)
        (tmp_path / "x.wav").write_bytes(data)
        try:
            reader = open_wav(tmp_path / "x.wav", "it")
        except InputError:
            continue
        if reader:
            read = 0
            while piece := reader.read(500):
                read += len(piece)
            reader.close()
            assert read <= len(data)
