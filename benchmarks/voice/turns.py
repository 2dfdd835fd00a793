"""`python -m benchmarks.voice.turns`: asks the local endpoint aloud, in real time, and prints how soon it answers.

The questions are spoken by the endpoint's own voice and sent as a microphone would, 20 ms every 20 ms, with silence in
between. The clock starts at the last sample that can be heard, and once more where the endpoint says that speech has
stopped; it ends where the first audio of the answer arrives. What was understood is compared with what was said: the
questions' transcripts, and the answers, which are transcribed again.

With `--tool` the questions are those of a shop (`shop.py`), and the model answers them by a function: what a turn takes
is shown in its parts.
"""

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import anyio

from benchmarks.voice import shop
from benchmarks.voice.words import errors, words
from runner.audio.format import PCM
from runner.local.speech import speech_models
from runner.local.speech.interfaces import SpeechEngines
from runner.protocol.effects import AudioDelta, Effect, FunctionAnswered, FunctionCalled, ResponseEnded
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.profile import Profile

QUESTIONS = (
    "What is the capital of France?",
    "How many people live on the moon today?",
    "Please tell me the name of the largest city in the world.",
    "The train to Boston leaves at seven in the morning.",
    "Who wrote the play about the prince of Denmark?",
    "What should I wear on a rainy day?",
    "Where can I buy fresh bread on Sunday?",
    "When does the museum open in the summer?",
    "What time does the library close on Friday?",
    "Please open the window before you leave.",
)
LIMIT_MS = 400
"""What the median from the end of speech stays below."""

_FRAME_MS = 20
_PAUSE_S = 0.5
_TURN_S = 30
_AUDIBLE = 160
"""Of 32768: what is quieter is not speech."""


@dataclass
class Turn:
    """One question and its answer; times are those of the monotonic clock, in seconds."""

    question: str
    spoke_s: float = 0.0
    stopped_s: float = 0.0
    understood_s: float = 0.0
    called_s: float = 0.0
    returned_s: float = 0.0
    answered_s: float = 0.0
    transcript: str = ""
    arguments: str = ""
    output: str = ""
    answer: str = ""
    audio: bytearray = field(default_factory=bytearray)
    done: anyio.Event = field(default_factory=anyio.Event)

    def read(self, update: Update) -> None:
        """Take from an event what it says of this turn."""
        event = update.event or {}
        for effect in update.effects:
            self._take(effect)
        match event.get("type"):
            case "input_audio_buffer.speech_stopped":
                self.stopped_s = time.monotonic()
            case "conversation.item.input_audio_transcription.completed":
                self.transcript, self.understood_s = str(event["transcript"]), time.monotonic()
            case "response.output_audio_transcript.done":
                self.answer = str(event["transcript"])

    def _take(self, effect: Effect) -> None:
        match effect:
            case AudioDelta():
                self.answered_s = self.answered_s or time.monotonic()
                self.audio += effect.decode()
            case FunctionCalled(arguments=arguments):
                self.called_s, self.arguments = time.monotonic(), arguments
            case FunctionAnswered(output=output):
                self.returned_s, self.output = time.monotonic(), output
            case ResponseEnded(is_step=False):
                self.done.set()
            case _:
                pass


class Caller:
    """Sends audio in real time: the questions that it is given, and silence.

    Args:
        session: Where to.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frame_bytes = PCM.size_bytes(_FRAME_MS)
        self._waiting: Iterator[bytes] = iter(())
        self._due_s = 0.0

    async def run(self) -> None:
        """Until it is cancelled."""
        self._due_s = time.monotonic()
        while True:
            frame = next(self._waiting, b"")
            await self._session.append_audio(frame + PCM.silence(self._frame_bytes - len(frame)))
            self._due_s += _FRAME_MS / 1000
            await anyio.sleep(max(0.0, self._due_s - time.monotonic()))

    def ask(self, pcm: bytes) -> float:
        """Say this from the next frame on; returns when its last sound is sent."""
        step = self._frame_bytes
        self._waiting = iter([pcm[at : at + step] for at in range(0, len(pcm), step)])
        # A microphone gives a frame when its last sample was heard.
        return self._due_s + PCM.seconds(_end_of_sound(pcm)) - _FRAME_MS / 1000


def _end_of_sound(pcm: bytes) -> int:
    samples = memoryview(pcm).cast("h")
    return 2 * next(index for index in range(len(samples), 0, -1) if abs(samples[index - 1]) > _AUDIBLE)


async def hold(speech: SpeechEngines, count: int, profile: Profile) -> list[Turn]:
    """One session with so many questions."""
    turns = [Turn(question) for question in islice(cycle(shop.QUESTIONS if profile.tools else QUESTIONS), count)]
    current = turns[0]

    def read(update: Update) -> None:
        current.read(update)

    async with open_session(profile, readers=[read]) as session, anyio.create_task_group() as tasks:
        caller = Caller(session)
        tasks.start_soon(caller.run)
        for turn in turns:
            await anyio.sleep(_PAUSE_S)
            current = turn
            pcm = b"".join(sound for _, sound in speech.voice.speak(turn.question, PCM.rate))
            turn.spoke_s = caller.ask(pcm)
            with anyio.fail_after(_TURN_S):
                await turn.done.wait()
        tasks.cancel_scope.cancel()
    return turns


def _profile(silence_ms: int, brain: dict[str, str], *, has_tool: bool) -> Profile:
    listening = {
        "transcription": {"language": "en"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": silence_ms},
    }
    return Profile.model_validate(
        {
            "version": 1,
            "endpoint": {"kind": "local", "speech": "models", "brain": brain},
            "session": {"output_modalities": ["audio"], "audio": {"input": listening}, **_short(brain)},
            "logging": {"level": "warning"},
            # The answer to a function's output calls no other one.
            **({"tools": [shop.TOOL], "run": {"tools": {"max_rounds": 1}}} if has_tool else {}),
        }
    )


def _short(brain: dict[str, str]) -> dict[str, Any]:
    """What keeps a language model from lecturing; an answer by rules is as long as its question."""
    if brain["kind"] == "rules":
        return {}
    return {"instructions": "Answer in one short sentence.", "max_output_tokens": 400}


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice.turns", description=__doc__)
    parser.add_argument("--silence-ms", type=int, default=160, metavar="MS", help="what ends a turn (default 160)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if an answer is late or a word is wrong")
    parser.add_argument("--turns", type=int, default=10, metavar="N", help="how many questions (default 10)")
    parser.add_argument("--brain", metavar="URL", help="a server of chat completions that answers instead of rules")
    parser.add_argument("--model", default="default", metavar="NAME", help="the model that it is asked for")
    parser.add_argument("--tool", action="store_true", help="have the model answer by calling a function")
    options = parser.parse_args()
    if options.turns < 2:
        parser.error("--turns: at least 2")
    if options.tool:
        # That the rounds of a turn are spent is no news here.
        logging.getLogger("rt_run").setLevel(logging.ERROR)
    began = time.monotonic()
    speech = speech_models.load()
    print(f"models loaded in {time.monotonic() - began:.1f} s; a turn ends after {options.silence_ms} ms of silence\n")
    brain = {"kind": "rules"}
    if options.brain:
        brain = {"kind": "chat", "base_url": options.brain, "model": options.model}
    turns = anyio.run(hold, speech, options.turns, _profile(options.silence_ms, brain, has_tool=options.tool))
    if unanswered := [turn.question for turn in turns if not turn.answered_s]:
        parser.exit(1, f"not answered: {', '.join(unanswered)}\n")
    print("  speech end  VAD stop  transcript  → first audio, in ms")
    for turn in turns:
        spoken_ms, stopped_ms, understood_ms = (
            _ms(since_s, turn) for since_s in (turn.spoke_s, turn.stopped_s, turn.understood_s)
        )
        answer = f" → {turn.arguments} → {turn.answer}" if options.tool else ""
        print(f"  {spoken_ms:10.0f}  {stopped_ms:8.0f}  {understood_ms:10.0f}  {turn.transcript}{answer}")
    end_ms = [_ms(turn.spoke_s, turn) for turn in turns]
    _print_spread("from the end of speech", end_ms)
    _print_spread("from the VAD's stop", [_ms(turn.stopped_s, turn) for turn in turns])
    _print_spread("from the transcript", [_ms(turn.understood_s, turn) for turn in turns])
    if options.tool:
        _print_parts(turns, speech)
    heard = [(turn.question, turn.transcript) for turn in turns]
    said = [(turn.answer, speech.transcriber.transcribe(bytes(turn.audio), PCM.rate)) for turn in turns]
    wrong = [_print_errors(title, pairs) for title, pairs in (("questions", heard), ("answers", said))]
    return 1 if options.check and (statistics.median(end_ms) >= LIMIT_MS or any(wrong)) else 0


def _ms(since_s: float, turn: Turn) -> float:
    return (turn.answered_s - since_s) * 1000


def _print_spread(title: str, values: list[float]) -> None:
    low, median, high = statistics.quantiles(values, n=4)
    print(
        f"\n{title} to the first audio: median {median:.0f} ms, quartiles {low:.0f} to {high:.0f} ms, "
        f"min {min(values):.0f} ms, max {max(values):.0f} ms ({len(values)} turns)",
        end="",
    )


def _print_parts(turns: list[Turn], speech: SpeechEngines) -> None:
    """What the turns that have called took, from the end of speech on."""
    called = [turn for turn in turns if turn.called_s]
    told = sum(shop.is_told(turn.output, turn.answer) for turn in called)
    print(
        f"\n\n{len(called)} of {len(turns)} turns have called a function, and {told} have told the hours that it gave."
    )
    if len(called) < 2:
        return
    print("Their parts, in ms (median, quartiles):")
    parts = {
        "silence that ends a turn": [turn.stopped_s - turn.spoke_s for turn in called],
        "transcript": [turn.understood_s - turn.stopped_s for turn in called],
        "the model's call": [turn.called_s - turn.understood_s for turn in called],
        "the function, to its output": [turn.returned_s - turn.called_s for turn in called],
        "the answer, to its first audio": [turn.answered_s - turn.returned_s for turn in called],
        "of that the voice, by itself": [_voiced_s(turn, speech) for turn in called],
    }
    for title, taken in parts.items():
        low, median, high = (1000 * value for value in statistics.quantiles(taken, n=4))
        print(f"  {title:30}  {median:6.0f}  {low:6.0f} to {high:.0f}")


def _voiced_s(turn: Turn, speech: SpeechEngines) -> float:
    began_s = time.monotonic()
    next(iter(speech.voice.speak(turn.answer, PCM.rate)), None)
    return time.monotonic() - began_s


def _print_errors(title: str, pairs: list[tuple[str, str]]) -> int:
    count = sum(errors(said, understood) for said, understood in pairs)
    total = sum(len(words(said)) for said, _ in pairs)
    print(f"\nwords wrong in the {title}: {count} of {total}")
    for said, understood in pairs:
        if errors(said, understood):
            print(f"  said: {said}\n  understood: {understood}")
    return count


if __name__ == "__main__":
    sys.exit(main())
