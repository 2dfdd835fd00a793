"""What the live line at a terminal says of a session, while it goes on."""

from typing import cast

import anyio
import pytest

from runner.inputs.session_input import EmptyInput
from runner.runs.live_line import LiveLine
from runner.terminal.screen import Screen
from tests.helpers.endpoint_scripts import asked, reached
from tests.helpers.hearing_peers import TURN_DETECTION, PlayedAnswers, session_with
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio


class Shown:
    """A screen whose live lines a test looks at."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def show_live(self, line: str) -> None:
        """Show a line."""
        self.lines.append(line)


async def test_the_line_follows_what_the_session_does() -> None:
    """It is hearing, thinking, speaking, or waits for its user; a loss of the connection shows before all else."""
    go_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await go_on.wait()
        await peer.answer("an answer")
        await peer.send({"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 0})
        await peer.to_the_end()

    shown, answers = Shown(), PlayedAnswers()
    async with session_with(script, audio=TURN_DETECTION) as (session, _), anyio.create_task_group() as tasks:
        tasks.start_soon(LiveLine(cast("Screen", shown), session, EmptyInput(), answers).run)
        await reached(lambda: shown.lines[-1:] == [""])
        await session.say("a question")
        await reached(lambda: shown.lines[-1].startswith("thinking..."))
        answers.is_playing = True
        await reached(lambda: shown.lines[-1] == "speaking")
        go_on.set()
        await reached(lambda: shown.lines[-1] == "hearing")
        tasks.cancel_scope.cancel()
