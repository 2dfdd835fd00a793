"""A program for a terminal: push-to-talk with somebody who always speaks, and a report in JSON of what was heard.

Run as `python -m tests.helpers.push_to_talk_program`; it leaves when the user does.
"""

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio

from runner.errors import RunnerError
from runner.inputs.push_to_talk import PushToTalk, check_terminal
from runner.inputs.sender import Sender
from runner.session.opening import open_session
from tests.helpers.hearing_peers import RATE, at_once, confirming, heard, others, tone
from tests.helpers.peer import profile_for, serving

FRAME_S = 0.02


class Answers:
    """The answers that are heard."""

    is_playing = False
    interrupted = 0

    def interrupt(self) -> None:
        """Stop."""
        self.interrupted += 1


async def speech() -> AsyncGenerator[bytes, None]:
    """Somebody who speaks without end."""
    while True:
        await anyio.sleep(FRAME_S)
        yield tone(FRAME_S)


async def press() -> dict[str, Any]:
    """Take turns until the user leaves."""
    answers, error = Answers(), ""
    async with serving(confirming) as (port, peers):
        session = {"audio": {"input": {"turn_detection": "none"}}}
        async with open_session(profile_for(port, session=session)) as opened:
            try:
                check_terminal(is_alone=True)
                await PushToTalk(Sender(opened, rate=RATE), answers, at_once).run(speech())
            except RunnerError as problem:
                error = problem.message
            with anyio.move_on_after(2):
                await opened.wait_idle()
    return {
        "error": error,
        "sent": others(peers[0]),
        "heard_s": len(heard(peers[0])) / 2 / RATE,
        "interrupted": answers.interrupted,
    }


if __name__ == "__main__":
    print(json.dumps(anyio.run(press)))  # noqa: T201  # it is the report
