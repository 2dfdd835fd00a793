"""The history replay: the items of the conversation that the client creates on a next connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.protocol import history

if TYPE_CHECKING:
    from runner.connect.changes import Changes
    from runner.protocol.item import Item
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState
    from runner.session.client_event import Send
    from runner.session.pump import Pump
    from runner.settings.continuity import History


class HistoryReplay:
    """Brings one connection up to the conversation: creates what it lacks, and deletes what has left meanwhile.

    Args:
        state: What is known of the session on this connection.
        pump: What listens to it.
        changes: Notified of everything but pieces of answers.
    """

    def __init__(self, state: SessionState, pump: Pump, changes: Changes) -> None:
        self._state = state
        self._pump = pump
        self._changes = changes
        self._replayed: frozenset[Item] = frozenset()

    def __len__(self) -> int:
        return len(self._replayed)

    def lacks(self, bounds: History) -> bool:
        """Whether items of the conversation are still to be replayed."""
        return bool(self._missing(bounds))

    async def replay(self, send: Send, bounds: History, timeout_s: float) -> None:
        """Replay what is still to be replayed; raises as sending does.

        Args:
            send: Sends client events on the connection.
            bounds: How much of the conversation is replayed.
            timeout_s: How long the endpoint may take to confirm it, in seconds; then the session goes on without.
        """
        conversation = self._state.conversation
        there = {item for item in conversation.items if not item.leaving}
        for item in self._replayed - there:
            await send({"type": "conversation.item.delete", "item_id": item.id})
        self._replayed &= there
        missing = self._missing(bounds)
        self._replayed |= missing.keys()
        if missing:
            asked = set(await send(*missing.values()))
            with anyio.move_on_after(timeout_s) as waiting:
                while conversation.unconfirmed(asked) and not self._pump.is_over:
                    await self._changes.next()
            if waiting.cancelled_caught:
                logs.logger().warning("history_unconfirmed", items=conversation.unconfirmed(asked))

    def _missing(self, bounds: History) -> dict[Item, JsonObject]:
        if self._state.kind != "realtime":
            # The other session types have no items; a Live session is told of the conversation as it starts.
            return {}
        conversation = self._state.conversation
        calls = {each.call_id for round_ in self._state.rounds.open for each in round_.calls}
        output_format = self._state.configuration.output_format
        events = history.replay(conversation, bounds, audio_format=output_format, calls=calls)
        return {item: each for each in events if (item := conversation.by_id[each["item"]["id"]]) not in self._replayed}
