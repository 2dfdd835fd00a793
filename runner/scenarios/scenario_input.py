"""The user of a scenario: an input that says each turn, and waits for what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.inputs.answer_stop import AnswerStop
from runner.inputs.pacing import Pace
from runner.inputs.sender import Sender
from runner.inputs.session_input import SessionInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.local.speech.interfaces import Synthesizer
    from runner.protocol.json_fields import JsonObject
    from runner.scenarios.observations import Observations, ObservedTurn
    from runner.scenarios.scenario import Scenario, ScenarioTurn
    from runner.session.session import Session

VOICE_RATE = 24_000
"""The synthetic voice's samples a second."""
_LOOK_S = 0.02
"""How often it is looked whether an answer is still heard, in seconds."""
_SILENCE_MS = 1000
_HEARING_TIMEOUT_S = 15.0


class ScenarioInput(SessionInput):
    """Says the turns of a scenario one after another, each when all that came of the one before is over.

    Args:
        scenario: The scenario.
        seen: What happens, by which it goes on.
    """

    def __init__(self, scenario: Scenario, seen: Observations) -> None:
        self._scenario = scenario
        self._seen = seen
        self._sounds: dict[int, tuple[bytes, int]] = {}
        """What is said aloud, by the index of its turn, with its samples a second."""

    async def open(self, asked: JsonObject) -> None:
        """Make all that is said aloud, so that no answer waits for it."""
        del asked
        for index, turn in enumerate(self._scenario.turns):
            if turn.is_voiced:
                self._sounds[index] = await anyio.to_thread.run_sync(_sound, turn, abandon_on_cancel=True)

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Say all turns; what takes too long is noted, and ends the conversation."""
        del flushed
        seen, turns = self._seen, self._scenario.turns
        seen.is_heard = lambda: session.state.busy or bool(playback and playback.is_playing)
        for index, turn in enumerate(turns):
            is_over_next = index + 1 < len(turns) and turns[index + 1].over
            if not turn.over and index:
                await self._quiet(session, playback if turn.is_voiced else None)
            noted = seen.begin()
            # A turn without user is over in time by itself.
            with anyio.move_on_after(self._scenario.turn_timeout_s * (1 if turn.has_user else 2)) as scope:
                if not index and turn.has_user:
                    # What the agent says first is heard first.
                    await session.wait_idle()
                    await self._quiet(session, playback if turn.is_voiced else None)
                answers = seen.answers
                await self._say(session, index, turn, playback, noted, is_over_next=is_over_next)
                if is_over_next:
                    await self._until(lambda before=answers: seen.answers > before)  # type: ignore[misc]  # mypy infers no type of a default
                else:
                    await self._settle(session, index, turn)
            if scope.cancelled_caught:
                noted.problem = f"it was not over after {self._scenario.turn_timeout_s:g} s"
                return "input-end"
        if self._scenario.end is not None and self._scenario.end.reason != "input-end":
            # The session is to end by itself, which ends this wait; else the judgement says that it has not.
            await anyio.sleep(self._scenario.turn_timeout_s)
        return "input-end"

    async def _say(
        self,
        session: Session,
        index: int,
        turn: ScenarioTurn,
        playback: PlayingAnswers | None,
        noted: ObservedTurn,
        *,
        is_over_next: bool,
    ) -> None:
        """Say what the user says in a turn, over whose answer the next one may be said."""
        if turn.is_voiced:
            await self._speak(session, index, noted, is_over_next=is_over_next)
            return
        if turn.over:
            await AnswerStop(session, playback).stop()
        now_s = anyio.current_time()
        if turn.user is not None:
            await session.say(turn.user)
        noted.said_s = now_s

    async def _speak(self, session: Session, index: int, noted: ObservedTurn, *, is_over_next: bool) -> None:
        pcm, rate = self._sounds[index]
        pace = Pace()
        async with Sender(session, rate=rate, has_end=True) as sender:
            audio = sender.encoded(pcm) + sender.encoded(b"", last=True)
            for at in range(0, len(audio), sender.frame_bytes):
                frame = audio[at : at + sender.frame_bytes]
                await pace.due(sender.form.seconds(len(frame)))
                await sender.send(frame)
            noted.said_s = anyio.current_time()
            if session.state.kind == "live" and is_over_next:
                # Its end would be that of the answer, and silence follows anyway.
                return
            await sender.end(
                pace,
                trailing_silence_ms=_SILENCE_MS,
                name=f"turn {index + 1}",
                hearing_timeout_s=_HEARING_TIMEOUT_S,
            )

    async def _settle(self, session: Session, index: int, turn: ScenarioTurn) -> None:
        """Wait for all that comes of a turn: where the user said nothing, for the agent to say something by itself."""
        await session.wait_idle()
        if not turn.has_user:
            with anyio.move_on_after(self._scenario.turn_timeout_s):
                await self._until(lambda: any(each.kind == "agent" for each in self._seen.of_turn(index)))
            await session.wait_idle()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._seen.changed()

    async def _quiet(self, session: Session, playback: PlayingAnswers | None) -> None:
        """Wait until the user has heard all that was said."""
        while playback and playback.is_playing and not session.is_over:  # noqa: ASYNC110  # time alone changes it
            await anyio.sleep(_LOOK_S)


def _voice(turn: ScenarioTurn) -> Synthesizer:
    """Who says the words of a turn aloud.

    Raises:
        ProfileError: The models are not installed, or do not run on this machine.
    """
    if turn.spoken == "model":
        from runner.local.speech.speech_models import load

        return load().voice
    from runner.local.speech.tones import SyntheticVoice

    return SyntheticVoice()


def _sound(turn: ScenarioTurn) -> tuple[bytes, int]:
    """What is said aloud in a turn: 16-bit samples, and how many a second.

    Raises:
        InputError: The recording cannot be read.
        ProfileError: It needs a library that is not installed.
    """
    if turn.audio is None:
        return b"".join(pcm for _, pcm in _voice(turn).speak(turn.user or "", VOICE_RATE)), VOICE_RATE
    from runner.inputs.audio_file import RecordingFile

    file = RecordingFile(turn.audio)
    try:
        return b"".join(iter(lambda: file.read(file.rate), b"")), file.rate
    finally:
        file.close()
