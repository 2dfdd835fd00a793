"""A spoken conversation from the runner's session to the local endpoint and back, without any model."""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import pytest

from runner.audio.format import PCM
from runner.local.speech.tones import ToneTranscriber
from runner.protocol.effects import AudioDelta, SpeechStarted, TurnEnded
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.local_client import said, silence

E = TypeVar("E")
pytestmark = pytest.mark.anyio
PROFILE: dict[str, Any] = {
    "version": 1,
    "endpoint": {
        "kind": "local",
        "delta_interval_ms": 1,
        "script": [{"match": "capital of (\\w+)", "reply": "I am asked for the capital of \\1."}],
    },
    "model": {"name": "gpt-realtime-2"},
    "session": {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
}


async def speak(session: Session, text: str) -> None:
    """Say a text in frames of 20 ms, with the silence that ends a turn."""
    audio = silence(100) + said(text) + silence(700)
    for at in range(0, len(audio), 960):
        await session.append_audio(audio[at : at + 960])


class Witness:
    """A reader that keeps what happened."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self._came = anyio.Event()

    def __call__(self, update: Update) -> None:
        """Keep an update."""
        self.updates.append(update)
        self._came.set()

    def effects(self, kind: type[E]) -> list[E]:
        """All effects of a kind."""
        return [each for update in self.updates for each in update.effects if isinstance(each, kind)]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Who said what, as far as it is known."""
        return [(each.role, each.text) for each in self.effects(TurnEnded)]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that an update brings about."""
        with anyio.fail_after(PATIENCE_S):
            while not is_so():
                self._came = anyio.Event()
                await self._came.wait()


async def test_a_spoken_question_has_a_spoken_answer() -> None:
    """Both transcripts are right, and the answer's audio says what its transcript says."""
    answer = "I am asked for the capital of France."
    witness = Witness()
    async with open_session(Profile.model_validate(PROFILE), readers=[witness]) as session:
        await speak(session, "What is the capital of France?")
        await witness.until(lambda: ("assistant", answer) in witness.turns)

    heard = b"".join(each.decode() for each in witness.effects(AudioDelta))
    assert ("user", "What is the capital of France?") in witness.turns
    assert ToneTranscriber().transcribe(heard, PCM.rate) == answer


async def test_speaking_over_an_answer_cancels_it() -> None:
    """The runner hears that somebody speaks, the answer is cut short, and the next one belongs to what was said."""
    profile = {**PROFILE, "endpoint": {"kind": "local", "delta_interval_ms": 50}}
    witness = Witness()
    async with open_session(Profile.model_validate(profile), readers=[witness]) as session:
        await speak(session, "Please tell me a story that takes a long time to tell")
        await witness.until(lambda: bool(witness.effects(AudioDelta)))
        await speak(session, "Stop it")
        await witness.until(lambda: ("assistant", "You said: Stop it") in witness.turns)

    events = [each.event for each in witness.updates if each.event]
    done = [each["response"] for each in events if each["type"] == "response.done"]
    assert [each["status"] for each in done] == ["cancelled", "completed"]
    assert done[0]["status_details"]["reason"] == "turn_detected"
    assert len(witness.effects(SpeechStarted)) == 2
