"""What the agent says while functions take long, so that the user hears something."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.protocol.request import FILLER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round
    from runner.session.carriage import Carriage
    from runner.session.outbox import Outbox
    from runner.settings.tool import CallSettings
    from runner.settings.tool_use import ToolUse

_LOOK_S = 0.1
"""How often it is looked whether something is still being heard, in seconds: time alone changes that."""
_SPOKEN_SILENCE_MS = 1500
"""After which silence a session that speaks says a filler, unless the profile says otherwise."""
_SETTLE_S = 10.0
"""How long a filler may take to be said, in seconds, before the answer is asked for all the same."""


class Filler:
    """Has something said out of band, once a turn, and only where nothing else is being said or heard.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox) -> None:
        self._carriage = carriage
        self._outbox = outbox
        self._is_due = False

    def is_due(self, round_: Round) -> bool:
        """Whether something may be said in a round that begins; the first of a turn begins anew."""
        self._is_due = round_.number == 1 or self._is_due
        return self._is_due and round_.goes_on

    async def wait(self, round_: Round, after_ms: int, instructions: str) -> None:
        """Have something said when nothing was said for so long.

        Args:
            round_: The round whose functions run.
            after_ms: After which silence, in milliseconds.
            instructions: What the agent is told to say.
        """
        began_s = anyio.current_time()
        await anyio.sleep(after_ms / 1000)
        while self._is_something_said():
            while self._is_something_said():
                with anyio.move_on_after(_LOOK_S):
                    await self._carriage.changes.next()
            await anyio.sleep(after_ms / 1000)
        if not round_.goes_on or self._carriage.state.kind == "live":
            # A Live session speaks by itself meanwhile.
            return
        self._is_due = False
        self._carriage.state.rounds.fillers += 1
        waited_ms = round((anyio.current_time() - began_s) * 1000)
        logs.logger().info("filler_asked", waited_ms=waited_ms, tools=[each.name for each in round_.calls])
        response = {"conversation": "none", "tool_choice": "none", "instructions": instructions}
        event_id = f"{FILLER}{token_hex(8)}"
        await self._outbox.send({"type": "response.create", "event_id": event_id, "response": response})

    async def settle(self) -> None:
        """Wait until a filler that is being said is said; one of which nothing has come yet is cancelled."""
        with anyio.move_on_after(_SETTLE_S):
            while self._is_asked_for:
                await self._carriage.changes.next()
            state = self._carriage.state
            if (response_id := self._in_flight) and state.aside.is_silent(response_id):
                await self._outbox.send({"type": "response.cancel", "response_id": response_id})
            while self._in_flight:
                await self._carriage.changes.next()

    def _is_something_said(self) -> bool:
        state = self._carriage.state
        return (
            state.occupied or bool(state.out_of_band_in_flight) or self._carriage.is_playing or state.is_hearing_speech
        )

    @property
    def _is_asked_for(self) -> bool:
        return any(each.is_filler for each in self._carriage.state.pending.requests)

    @property
    def _in_flight(self) -> str:
        flying = self._carriage.state.pending.out_of_band.items()
        return next((response_id for response_id, asked in flying if asked.is_filler), "")


def filler_of(tools: Sequence[CallSettings], settings: ToolUse, effective: JsonObject) -> tuple[int | None, str]:
    """After which silence, in milliseconds, something is said, and what: as a tool says, else as `[run.tools]`.

    Args:
        tools: What holds for the tools that are called.
        settings: What holds for all tools.
        effective: The configuration of the session.
    """
    after_ms = [each.say_after_ms for each in tools if each.say_after_ms is not None]
    say = next((each.say for each in tools if each.say), settings.say)
    usual_ms = settings.say_after_ms
    if usual_ms is None and effective.get("output_modalities") != ["text"]:
        usual_ms = _SPOKEN_SILENCE_MS
    return (min(after_ms) if after_ms else usual_ms), say
