"""A WAV file that any program reads at any moment."""

import shutil
import subprocess
import wave
from pathlib import Path

import pytest

from runner.errors import OutputError
from runner.outputs.wav_file import HEADER_BYTES, MAX_DATA_BYTES, WavFile


def read(path: Path) -> tuple[int, int, bytes]:
    """Channels, rate and samples."""
    with wave.open(str(path)) as file:
        return file.getnchannels(), file.getframerate(), file.readframes(file.getnframes())


def test_it_can_be_read_after_every_write_and_holds_what_was_put(tmp_path: Path) -> None:
    """Also before the first sample, over a gap, and after a cut; only its owner may read it."""
    path = tmp_path / "folder" / "a.wav"
    file = WavFile(path, channels=1, rate=8000)
    assert read(path) == (1, 8000, b"")
    file.put(0, b"\1\0" * 4)
    file.put(6, b"\2\0" * 2)
    file.flush()
    assert read(path)[2] == b"\1\0" * 4 + bytes(4) + b"\2\0" * 2
    file.cut(3)
    assert read(path)[2] == b"\1\0" * 3
    file.put(5, b"\3\0")
    file.finish()

    assert read(path)[2] == b"\1\0" * 3 + bytes(4) + b"\3\0"
    assert path.stat().st_mode & 0o777 == 0o600
    assert file.frames == 6


@pytest.mark.parametrize("tool", ["sox", "ffprobe", "soundfile"])
def test_other_programs_read_it_too(tmp_path: Path, tool: str) -> None:
    """Their count of samples is ours."""
    path = tmp_path / "a.wav"
    file = WavFile(path, channels=2, rate=24_000)
    file.put(0, b"\1\0\2\0" * 1200)
    file.flush()
    file.close()
    if tool == "soundfile":
        soundfile = pytest.importorskip("soundfile")
        assert (soundfile.info(str(path)).frames, soundfile.info(str(path)).channels) == (1200, 2)
        return
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} here")
    arguments = {
        "sox": ["sox", "--i", "-s"],
        "ffprobe": ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts"],
    }
    done = subprocess.run([*arguments[tool], str(path)], capture_output=True, text=True, check=True)
    assert "1200" in done.stdout
    assert not done.stderr


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """The error says how every session gets a file of its own."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already") as raised:
        WavFile(path, channels=1, rate=8000)

    assert "{started}" in raised.value.hint
    assert raised.value.exit_code == 74
    assert path.read_bytes() == b"precious"


def test_it_says_what_it_cannot_hold_or_open(tmp_path: Path) -> None:
    """The sizes of the format are numbers of 32 bits; a sparse file gets there fast."""
    file = WavFile(tmp_path / "a.wav", channels=1, rate=8000)
    last = MAX_DATA_BYTES // 2 - 1
    file.put(last, b"\1\0")
    file.flush()
    assert (tmp_path / "a.wav").stat().st_size == HEADER_BYTES + (last + 1) * 2
    with pytest.raises(OutputError, match="4 GiB"):
        file.put(last + 1, b"\1\0")
    file.close()
    with pytest.raises(OutputError, match="cannot be opened"):
        WavFile(Path("/dev/null/a.wav"), channels=1, rate=8000)
