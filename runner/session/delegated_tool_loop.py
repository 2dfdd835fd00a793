"""The functions that the model behind a Live session calls: their outputs go to it, beside what is said meanwhile."""

from __future__ import annotations

from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING

from runner import logs
from runner.errors import ProtocolError
from runner.protocol.delegation_events import answered_call
from runner.protocol.request import GO_ON
from runner.protocol.typed_text import told_event
from runner.session.link import NotSent
from runner.session.tool_loop import ToolLoop

if TYPE_CHECKING:
    from runner.protocol.effects import FunctionCalled
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round

_LONGEST_RESULT = 1500
"""How much of a late result another session is told, in characters: the API takes 500 tokens."""


class DelegatedToolLoop(ToolLoop):
    """Gives outputs to the model that has called, and has it go on at once: nobody's speech is in its way.

    A session that was lost has taken the model's task along. What its functions have answered by then, or answer
    later, is told to the session that follows.
    """

    @cached_property
    def _epochs(self) -> dict[Round, int]:
        """The connections on which the rounds were begun that are not over."""
        return {}

    def _filler_of(self, round_: Round) -> tuple[int | None, str]:
        # The model speaks by itself meanwhile.
        return None, ""

    async def _serve(self, round_: Round) -> None:
        self._epochs[round_] = self._carriage.epoch
        try:
            await super()._serve(round_)
        finally:
            del self._epochs[round_]

    async def _give(self, round_: Round, item: JsonObject, call: FunctionCalled | None = None) -> None:
        link = self._carriage.link
        if link is not None and link.epoch == self._epochs[round_]:
            try:
                await link.send({"type": "response.item.create", "item": item})
            except NotSent:
                link = None
        else:
            link = None
        if call is None:
            return
        if link is None:
            logs.logger().info("tool_result_late", tool=call.name, call_id=call.call_id)
            result = str(item["output"])[:_LONGEST_RESULT]
            await self._outbox.send(told_event(f"{call.name} has answered, to {call.arguments}: {result}"))
        self._carriage.publish(answered_call(self._carriage.state, item))

    async def _go_on(self, round_: Round) -> None:
        """Have the model go on; one that has had all its rounds hears that with its outputs, and may say so once."""
        most = self._settings.max_rounds
        if round_.standing == "interrupted":
            return
        if round_.number > most + 1:
            self._carriage.give_up(ProtocolError("the model goes on calling functions where it may not"))
            return
        if round_.standing == "spent":
            logs.logger().warning("tool_rounds_spent", max_rounds=most)
        if self._hang_up.is_wished:
            self._hang_up.follow_speech()
        if self._carriage.epoch != self._epochs[round_]:
            return
        event_id = f"{GO_ON}{token_hex(8)}"
        self._carriage.state.rounds.follow(round_, event_id)
        await self._outbox.send({"type": "response.create", "event_id": event_id})
