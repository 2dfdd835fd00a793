"""The functions that the model behind a Live session calls: their outputs go to it, beside what is said meanwhile."""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

from runner import logs
from runner.errors import ProtocolError
from runner.protocol.delegation_events import answered_call
from runner.protocol.live_history import answered_call_text
from runner.protocol.request import GO_ON
from runner.protocol.typed_text import known_event, repeated_event, told_event
from runner.session.link import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.protocol.effects import FunctionCalled
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round
    from runner.session.carriage import Carriage
    from runner.session.hang_up import HangUp
    from runner.session.outbox import Outbox


class DelegatedRounds:
    """Gives outputs to the model that has called, and has it go on at once: nobody's speech is in its way.

    A session that was lost has taken the model's task along. What its functions have answered by then, or answer
    later, is told to the session that follows; and so is what a realtime session has called before. The turn of that
    goes on by asking for the answer.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
        hang_up: The model's wish to end the session.
        started: Says how many responses of the conversation have begun.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, hang_up: HangUp, started: Callable[[], int]) -> None:
        self._started = started
        self._carriage = carriage
        self._outbox = outbox
        self._hang_up = hang_up
        self._epochs: dict[Round, int] = {}
        """The connections on which the rounds were begun that are not over."""

    def begin(self, round_: Round) -> None:
        """A round begins."""
        self._epochs[round_] = self._carriage.epoch

    def end(self, round_: Round) -> None:
        """A round is over, or left."""
        del self._epochs[round_]

    async def give(self, round_: Round, item: JsonObject, call: FunctionCalled | None) -> None:
        """Give the output of a call, or the answer to a question for approval, to whoever waits for it."""
        link = self._carriage.link
        if link is not None and self._is_here(round_):
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
            text = answered_call_text(call.name, call.arguments, str(item["output"]))
            # Who is asked for the answer right after has nothing to say before.
            await self._outbox.send(told_event(text) if round_.is_delegated else known_event(text))
        self._carriage.publish(answered_call(self._carriage.state, item))

    async def go_on(self, round_: Round, max_rounds: int) -> None:
        """Have the model go on; one that has had all its rounds hears that with its outputs, and may say so once.

        Args:
            round_: The round.
            max_rounds: How many a turn may have.
        """
        if round_.standing == "interrupted":
            return
        if round_.number > max_rounds + 1:
            self._carriage.give_up(ProtocolError("the model goes on calling functions where it may not"))
            return
        if round_.standing == "spent":
            logs.logger().warning("tool_rounds_spent", max_rounds=max_rounds)
        if self._hang_up.is_wished:
            self._hang_up.follow_speech()
        event_id = f"{GO_ON}{token_hex(8)}"
        if not round_.is_delegated:
            await self._ask(round_, event_id)
        elif (link := self._carriage.link) is not None and self._is_here(round_):
            self._carriage.state.rounds.follow(round_, event_id)
            with suppress(NotSent):
                # The task is lost with its connection.
                await link.send({"type": "response.create", "event_id": event_id})

    def _is_here(self, round_: Round) -> bool:
        """Whether the model that has called is behind the present connection."""
        return round_.is_delegated and self._carriage.epoch == self._epochs[round_]

    async def _ask(self, round_: Round, event_id: str) -> None:
        """Ask a session for an answer that another kind of session has owed, unless it has begun one by itself."""
        state, started = self._carriage.state, self._started()
        if not (words := state.conversation.last_words):
            return
        state.rounds.follow(round_, event_id)
        event = {**repeated_event(words), "event_id": event_id}
        await self._outbox.go_on(event, lambda: round_.goes_on and self._started() == started)
