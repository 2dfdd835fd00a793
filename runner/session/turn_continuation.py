"""Has a turn go on once all functions that it has called are answered."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.errors import ProtocolError
from runner.protocol.request import GO_ON
from runner.tools.end_session import END_SESSION_TOOL

if TYPE_CHECKING:
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round
    from runner.session.carriage import Carriage
    from runner.session.filler import Filler
    from runner.session.hang_up import HangUp
    from runner.session.outbox import Outbox

OWN_RESPONSE_S = 2.0
"""How long an endpoint may take to begin the response to an approval, in seconds, before it is asked for."""


class TurnContinuation:
    """Asks for the next response of a turn, one for each round.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
        filler: What is said meanwhile, and has to be over.
        hang_up: The model's wish to end the session.

    Attributes:
        started: How many responses of the conversation have begun.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, *, filler: Filler, hang_up: HangUp) -> None:
        self.started = 0
        self._carriage = carriage
        self._outbox = outbox
        self._filler = filler
        self._hang_up = hang_up

    async def go_on(self, round_: Round, max_rounds: int) -> None:
        """Ask for the response to the outputs, unless the turn was interrupted or another response has them already.

        Args:
            round_: The round.
            max_rounds: How many a turn may have.
        """
        started = self.started
        if round_.standing == "spent":
            self._carriage.give_up(ProtocolError("the model goes on calling functions where it may not"))
        if not round_.goes_on and any(each.name == END_SESSION_TOOL.name for each in round_.calls):
            self._hang_up.abandon()
        if not round_.goes_on or (self._hang_up.is_wished and self._hang_up.is_said(round_)):
            return
        if round_.approvals and await self._goes_on_by_itself(round_, started):
            return
        await self._filler.settle()
        is_spent = round_.number >= max_rounds
        is_last = is_spent or self._hang_up.is_wished or self._outbox.is_draining
        if is_spent:
            logs.logger().warning("tool_rounds_spent", max_rounds=max_rounds)
        event: JsonObject = {"type": "response.create", "event_id": f"{GO_ON}{token_hex(8)}"}
        if is_last:
            event["response"] = {"tool_choice": "none"}
        self._carriage.state.rounds.follow(round_, event["event_id"])
        if self._hang_up.is_wished:
            self._hang_up.follow(round_.turn_id or event["event_id"])
        await self._outbox.go_on(event, lambda: round_.goes_on and self.started == started)

    async def _goes_on_by_itself(self, round_: Round, started: int) -> bool:
        """Whether the endpoint continues a turn for which it has asked for approval; what it begins is of this turn."""
        state, event_id = self._carriage.state, f"{GO_ON}{token_hex(8)}"
        state.rounds.follow(round_, event_id)
        state.expect_continuation(event_id)
        with anyio.move_on_after(OWN_RESPONSE_S):
            while self.started == started and self._carriage.state is state:
                await self._carriage.changes.next()
        if self._carriage.state is not state:
            # The request was lost with the connection, and is retried as any other.
            return True
        state.forgo_continuation(event_id)
        return self.started != started
