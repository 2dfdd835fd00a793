"""The synthetic voice says a text that its own ear, and nothing else, is taken for."""

import math
import random
import struct
import time
from collections.abc import Callable

import pytest

from runner.audio import samples
from runner.audio.format import FORMATS, PCM, PCMU
from runner.audio.resampling import Resampler
from runner.local.speech.interfaces import NotUnderstood
from runner.local.speech.tones import MS_PER_CHARACTER, SyntheticVoice, ToneTranscriber, pieces
from tests.helpers.local_client import said, silence

ALPHABET = "".join(map(chr, range(32, 127)))
TEXTS = ["ab", "Hello, world!", "zwölf Boxkämpfer 漢字 🙂\n", ALPHABET]


def heard(pcm: bytes, rate: int = PCM.rate) -> str:
    """What the ear makes of it."""
    return ToneTranscriber().transcribe(pcm, rate)


def packed(values: list[float]) -> bytes:
    """Samples from -1 to 1."""
    return struct.pack(f"<{len(values)}h", *(round(32767 * max(-1.0, min(1.0, value))) for value in values))


def mixed(pcm: bytes, noise: bytes) -> bytes:
    """The mean of two sounds of equal length."""
    pairs = zip(struct.iter_unpack("<h", pcm), struct.iter_unpack("<h", noise), strict=True)
    return b"".join(struct.pack("<h", (one + other) // 2) for (one,), (other,) in pairs)


@pytest.mark.parametrize("rate", [8000, 24_000])
def test_length_follows_the_text(rate: int) -> None:
    """Every byte lasts as long as any other, pieces join to the text, and no text is no audio."""
    spoken = list(SyntheticVoice().speak("abc, ä", rate))

    assert "".join(text for text, _ in spoken) == "abc, ä"
    assert [len(sound) for _, sound in spoken] == [
        len(text.encode()) * MS_PER_CHARACTER * rate * 2 // 1000 for text, _ in spoken
    ]
    assert list(SyntheticVoice().speak("", rate)) == []


def test_the_voice_is_moderate_and_does_not_click() -> None:
    """It stays below -9 dBFS, and begins and ends each tone softly."""
    pcm = said(ALPHABET)
    values = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    symbol = PCM.rate * MS_PER_CHARACTER // 1000

    assert max(map(abs, values)) < 32768 * 10 ** (-9 / 20)
    assert 0.1 < samples.loudness(pcm) < 0.25
    assert all(abs(values[at]) < 40 for at in range(0, len(values), symbol))
    assert not any(values[symbol - 90 : symbol])


@pytest.mark.parametrize("encoding", list(FORMATS))
@pytest.mark.parametrize("text", TEXTS)
def test_what_was_said_is_written_down(text: str, encoding: str) -> None:
    """In every format, wherever it begins."""
    form = FORMATS[encoding]
    audio = silence(333.25, form) + said(text, form) + silence(7, form)

    assert heard(form.decode(audio), form.rate) == text


def test_distance_delay_and_noise_do_no_harm() -> None:
    """Up to 20 dB fainter, from any sample on, with some hiss, through G.711: never another text."""
    dice = random.Random(5)  # noqa: S311  # the same noise every time
    for _ in range(25):
        rate = dice.choice([8000, 24_000])
        spoken = b"".join(sound for _, sound in SyntheticVoice().speak("Testing: 1, 2, 3.", rate))
        gain = 10 ** (-dice.uniform(0, 20) / 20)
        pcm = bytes(2 * dice.randrange(rate // 3)) + spoken + bytes(2 * dice.randrange(rate // 9))
        values = [gain * (value / 32768 + dice.gauss(0, 0.004)) for (value,) in struct.iter_unpack("<h", pcm)]
        form = dice.choice([PCM, PCMU])

        assert heard(form.decode(form.encode(packed(values))), rate) == "Testing: 1, 2, 3."


def test_resampling_does_no_harm() -> None:
    """A recording may have had another rate in between."""
    pytest.importorskip("soxr", reason="resampling needs soxr")
    pcm = said("Over 16 and 44.1 kHz")
    for rate in (16_000, 44_100):
        there = Resampler(PCM.rate, rate).convert(pcm, last=True)
        back = Resampler(rate, PCM.rate).convert(there, last=True)

        assert heard(back) == "Over 16 and 44.1 kHz"


def test_pauses_between_words_are_no_words() -> None:
    """Two sentences with a pause read as if they were said in one breath."""
    assert heard(said("one ") + silence(250.5) + said("two")) == "one two"


def tone(hz: float, ms: int, level: float = 0.2) -> list[float]:
    """A plain tone."""
    return [level * math.sin(2 * math.pi * hz * index / PCM.rate) for index in range(PCM.rate * ms // 1000)]


def chirps() -> list[float]:
    """Vowel-like sounds: harmonics of a gliding pitch under two formants, in syllables."""
    values, phase = [], 0.0
    for index in range(PCM.rate * 2):
        at_s = index / PCM.rate
        phase += 2 * math.pi * (120 + 30 * math.sin(5 * at_s)) / PCM.rate
        level = max(0.0, math.sin(2 * math.pi * 3 * at_s)) ** 0.5
        wave = sum(
            math.sin(phase * k) * (math.exp(-((120 * k - 700) ** 2) / 9e4) + math.exp(-((120 * k - 2200) ** 2) / 9e4))
            for k in range(1, 25)
        )
        values.append(0.1 * level * wave)
    return values


def noise(level: float) -> list[float]:
    """White noise."""
    dice = random.Random(3)  # noqa: S311  # the same noise every time
    return [dice.gauss(0, level) for _ in range(PCM.rate)]


def beeps() -> list[float]:
    """Single tones in the rhythm of the voice."""
    return [value for hz in (500, 900, 700) for value in [*tone(hz, 20), *tone(0, 4)]]


def music() -> list[float]:
    """A chord."""
    return [sum(each) for each in zip(*(tone(hz, 1000) for hz in (440, 554.4, 659.3, 2217.5)), strict=True)]


def steady() -> list[float]:
    """The two tones of a letter, held."""
    return [sum(each) for each in zip(tone(900, 500), tone(2100, 500), strict=True)]


@pytest.mark.parametrize(
    "sound",
    [
        list,
        lambda: [0.0] * 24_000,
        lambda: tone(1000, 1000),
        beeps,
        lambda: noise(0.1),
        lambda: noise(0.001),
        music,
        steady,
        chirps,
    ],
    ids=["nothing", "silence", "tone", "beeps", "noise", "hiss", "music", "held", "vowels"],
)
def test_nothing_else_is_understood(sound: Callable[[], list[float]]) -> None:
    """What is not its own voice has no transcript, and the refusal says why."""
    with pytest.raises(NotUnderstood) as refused:
        heard(packed(sound()))

    assert str(refused.value) == 'only its own synthetic voice is understood without `endpoint.speech = "models"`'


@pytest.mark.parametrize(("low_hz", "high_hz", "on_ms", "off_ms"), [(697, 2000, 20, 50), (770, 2000, 20, 30)])
def test_beeps_of_two_tones_are_no_words(low_hz: int, high_hz: int, on_ms: int, off_ms: int) -> None:
    """Their pulses are nearly the voice's, but do not follow upon each other as its do."""
    pulse = [tone + other for tone, other in zip(tone(low_hz, on_ms), tone(high_hz, on_ms), strict=True)]

    with pytest.raises(NotUnderstood):
        heard(packed((pulse + [0.0] * (PCM.rate * off_ms // 1000)) * 20))


def test_a_long_space_is_said_in_pieces() -> None:
    """No event is larger than a client takes, whatever a text holds."""
    text = "a" + " " * 5000 + "b"

    assert "".join(pieces(text)) == text
    assert max(map(len, pieces(text))) <= 16


def test_a_voice_among_others_is_not_understood() -> None:
    """Somebody who speaks beside it, before it or after it makes all of it uncertain."""
    vowels = packed(chirps())
    spoken = said("These are words that somebody interrupts, as people do.")
    for pcm in (vowels + spoken, spoken + vowels, mixed(spoken[: len(vowels)], vowels[: len(spoken)])):
        with pytest.raises(NotUnderstood):
            heard(pcm)


@pytest.mark.parametrize("raw", [b"\xc3", b"\xa4", b"a\0", b"\x1b"])
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    """Symbols that are not UTF-8, or control characters, are nothing that the voice would say."""
    broken = b"".join(said(chr(byte))[-PCM.size_bytes(24) :] if byte < 128 else _symbol(byte) for byte in raw)

    with pytest.raises(NotUnderstood):
        heard(broken)


def _symbol(byte: int) -> bytes:
    """A byte as it stands within some letter."""
    letter = next(chr(code) for code in range(128, 0x10FFFF) if byte in chr(code).encode("utf-8", "replace"))
    at = letter.encode().index(byte) * PCM.size_bytes(24)
    return said(letter)[at : at + PCM.size_bytes(24)]


def test_a_letter_cut_in_half_is_refused() -> None:
    """The end of a text that is missing is not guessed."""
    with pytest.raises(NotUnderstood):
        heard(said("half")[: -PCM.size_bytes(14)])


def test_other_rates_are_refused() -> None:
    """The ear takes multiples of 8 kHz."""
    with pytest.raises(NotUnderstood):
        heard(said("Hello"), 22_050)


def test_writing_down_is_quick() -> None:
    """Quicker than speech, on whatever machine: in less than half of the 24 ms that a symbol lasts."""
    text = ALPHABET * 4
    pcm = said(text)
    heard(said("warm up"))
    began_s = time.process_time()

    assert heard(pcm) == text
    assert time.process_time() - began_s < 0.012 * len(text)
