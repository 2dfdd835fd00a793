"""Recordings of every kind become 16-bit samples of one channel."""

import random
import re
import sys
import threading
import wave
from pathlib import Path
from typing import Any

import pytest

from runner.errors import InputError, ProfileError
from runner.inputs.audio_file import RecordingFile
from runner.installation import install_command
from tests.helpers.hearing_peers import recording, tone

np = pytest.importorskip("numpy")
soundfile = pytest.importorskip("soundfile")


def whole(file: RecordingFile, samples: int = 1000) -> bytes:
    """Everything that a recording holds, read in pieces."""
    data = b""
    while piece := file.read(samples):
        assert len(piece) <= 2 * samples
        data += piece
    file.close()
    return data


@pytest.mark.parametrize(
    ("name", "subtype", "channels", "rate"),
    [
        ("a.wav", "PCM_16", 1, 24000),
        ("a.wav", "PCM_16", 2, 44100),
        ("a.wav", "PCM_24", 1, 48000),
        ("a.wav", "FLOAT", 2, 48000),
        ("a.wav", "PCM_U8", 1, 8000),
        ("a.wav", "ULAW", 1, 8000),
        ("a.wav", "PCM_16", 6, 48000),
        ("a.flac", "PCM_16", 2, 44100),
        ("a.ogg", "VORBIS", 2, 44100),
        ("a.ogg", "OPUS", 1, 48000),
        ("a.mp3", "MPEG_LAYER_III", 2, 44100),
    ],
)
def test_whatever_the_file_the_tone_is_the_same(
    tmp_path: Path, name: str, subtype: str, channels: int, rate: int
) -> None:
    """Rate and length are the file's, and the mean of the channels is what was recorded, as loud as it was."""
    pcm = np.frombuffer(tone(0.5, rate=rate), dtype="<i2")
    path = tmp_path / name
    samples = np.repeat(pcm[:, None], channels, axis=1).astype("float64") / 32768
    soundfile.write(path, samples, rate, subtype=subtype)

    file = RecordingFile(path)
    heard = np.frombuffer(whole(file), dtype="<i2").astype("float64")

    assert file.rate == rate
    assert file.duration_s == pytest.approx(0.5, abs=0.06)
    if subtype in {"PCM_16", "PCM_24", "FLOAT"}:
        assert abs(heard - pcm).max() <= 1
    else:
        assert np.sqrt((heard**2).mean()) == pytest.approx(np.sqrt((pcm.astype("float64") ** 2).mean()), rel=0.1)


def test_a_plain_wav_needs_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install reads 16-bit WAV to the sample, mono and stereo."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    pcm = tone(0.1)
    mono = recording(tmp_path / "mono.wav", pcm)
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setparams((2, 2, 24000, 0, "NONE", ""))
        file.writeframes(b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2)))

    assert whole(RecordingFile(mono), 7) == pcm
    assert whole(RecordingFile(tmp_path / "stereo.wav"), 7) == pcm


def test_what_needs_the_library_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file and the hint the extra."""
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(2400), 24000)
    monkeypatch.setitem(sys.modules, "soundfile", None)

    with pytest.raises(ProfileError, match=r"a\.flac is not WAV of 16-bit samples") as raised:
        RecordingFile(path)
    assert raised.value.hint == install_command("audio")


def no_samples(path: Path) -> None:
    """A WAV that is nothing but a header."""
    recording(path, b"")


WRONG: dict[str, Any] = {
    "cannot be opened: No such file": lambda path: None,
    "cannot be opened: Is a directory": lambda path: path.mkdir(),
    "is empty": lambda path: path.touch(),
    "is no audio that can be read": lambda path: path.write_text("not audio at all"),
    "holds no audio": no_samples,
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_cannot_be_heard_is_reported_in_one_sentence(tmp_path: Path, problem: str) -> None:
    """The sentence names the file."""
    path = tmp_path / "x.wav"
    WRONG[problem](path)

    with pytest.raises(InputError, match=rf"the recording .*x\.wav {problem}"):
        RecordingFile(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFF00])
def test_a_wav_that_was_written_to_a_pipe_is_as_long_as_its_data(tmp_path: Path, size: int) -> None:
    """Its header could not know the length."""
    path = recording(tmp_path / "piped.wav", tone(0.5))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = size.to_bytes(4, "little")
    path.write_bytes(data)

    file = RecordingFile(path)

    assert file.duration_s == pytest.approx(0.5, abs=0.01)
    assert whole(file) == tone(0.5)


def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    """A recording whose writer was killed ends where its data does."""
    path = recording(tmp_path / "cut.wav", tone(0.5))
    path.write_bytes(path.read_bytes()[:-5001])

    assert whole(RecordingFile(path)) == tone(0.5)[:-5002]


def test_closing_does_not_pull_the_file_from_under_a_thread(tmp_path: Path) -> None:
    """Reading and closing at the same time is safe, however often."""
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(240_000), 24000)
    for _ in range(20):
        file = RecordingFile(path)
        reading = threading.Thread(target=whole, args=(file, 24000))
        reading.start()
        file.close()
        reading.join(5)
        assert not reading.is_alive()
        assert file.read(1) == b""


def joined(folder: Path, form: str) -> Path:
    """Two recordings, one behind the other, as `cat` joins them."""
    pieces = []
    for number in range(2):
        path = folder / f"{number}.{form}"
        soundfile.write(path, np.sin(np.arange(48000) / (5 + number)) / 3, 24000)
        pieces.append(path.read_bytes())
    whole = folder / f"joined.{form}"
    whole.write_bytes(b"".join(pieces))
    return whole


@pytest.mark.parametrize("form", ["mp3", "ogg", "flac", "wav"])
def test_joined_recordings_are_refused_by_name(tmp_path: Path, form: str) -> None:
    """Every reader would stop after the first, without a word."""
    problem = rf"joined\.{form} (is more than one recording|lasts 4\.\d s, of which 2\.\d s)"
    with pytest.raises(InputError, match=problem):
        RecordingFile(joined(tmp_path, form))

    single = RecordingFile(tmp_path / f"0.{form}")
    single.close()
    assert single.duration_s == pytest.approx(2, abs=0.1)


def bare(folder: Path, samples: Any) -> Path:
    """An MP3 of variable bit rate without the frame that says how long it is, as recorders of radio write it."""
    from runner.inputs.compressed_audio import _mpeg_frame

    path = folder / "bare.mp3"
    soundfile.write(
        path, samples, 24000, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.6, bitrate_mode="VARIABLE"
    )
    data = path.read_bytes()
    data = data[data.index(b"\xff\xf3") :]
    frame = _mpeg_frame(data, 0)
    assert frame
    assert b"Xing" in data[: frame.size_bytes]
    path.write_bytes(data[frame.size_bytes :])
    return path


@pytest.mark.parametrize("is_loud_first", [True, False])
def test_an_mp3_that_does_not_say_how_long_it_is_is_read_whole_or_refused(
    tmp_path: Path, *, is_loud_first: bool
) -> None:
    """Its length is guessed from its first frames, and reading stops there."""
    noise, silence = np.random.default_rng(1).uniform(-0.5, 0.5, 120_000), np.zeros(120_000)
    path = bare(tmp_path, np.concatenate([noise, silence] if is_loud_first else [silence, noise]))

    try:
        file = RecordingFile(path)
    except InputError as error:
        assert re.search(r"lasts 10\.\d s, of which \d\.\d s can be read", error.message)  # noqa: PT017  # its figures
    else:
        assert len(whole(file)) / 48000 == pytest.approx(10, abs=0.25)


def test_tags_around_the_frames_are_no_frames(tmp_path: Path) -> None:
    """A cover with bytes that look like a frame does not make a recording longer."""
    path = tmp_path / "x.mp3"
    soundfile.write(path, np.sin(np.arange(48000) / 5) / 3, 24000)
    cover = b"\xff\xf3\x84\xc4" * 5000
    size = bytes(len(cover) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\3\0\0" + size + cover + path.read_bytes() + b"TAG" + bytes(125))

    assert RecordingFile(path).duration_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("rate", [0, 1, 999, 1_000_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate: int) -> None:
    """It would take memory without end to read half a second of it."""
    path = recording(tmp_path / "x.wav", tone(0.1))
    data = bytearray(path.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(data)

    with pytest.raises(InputError, match=f"says that it has {rate} samples a second"):
        RecordingFile(path)


def test_damage_is_reported_as_an_error_of_the_input(tmp_path: Path) -> None:
    """Whatever is wrong in a file, and whoever reads it."""
    chance = random.Random(1)  # noqa: S311  # the same in each run
    originals = []
    for form in ("wav", "mp3", "ogg", "flac"):
        soundfile.write(tmp_path / f"o.{form}", np.sin(np.arange(2400) / 5) / 3, 24000)
        originals.append((tmp_path / f"o.{form}").read_bytes())
    for _ in range(400):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(min(len(data), 200))] = chance.randrange(256)
        (tmp_path / "x").write_bytes(data)
        try:
            whole(RecordingFile(tmp_path / "x"))
        except InputError:
            continue
