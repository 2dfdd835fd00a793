"""What a connection is told of the conversation so far, and taken back of what has left it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.protocol.history import replay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.connect.changes import Changes
    from runner.protocol.conversation import Item
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState
    from runner.session.pump import Pump
    from runner.settings.continuity import History


class HistoryReplay:
    """How much of the conversation one connection knows from us.

    Args:
        state: What is known of the session on this connection.
        pump: What listens to it.
        changes: Told of everything but pieces of answers.
        send: Sends client events on it; returns their ids.
    """

    def __init__(
        self, state: SessionState, pump: Pump, changes: Changes, send: Callable[..., Awaitable[list[str]]]
    ) -> None:
        self._state = state
        self._pump = pump
        self._changes = changes
        self._send = send
        self._told: frozenset[Item] = frozenset()

    def __len__(self) -> int:
        return len(self._told)

    def lacks(self, bounds: History) -> bool:
        """Whether there are items of the conversation that have still to be told."""
        return bool(self._untold(bounds))

    async def tell(self, bounds: History, timeout_s: float) -> None:
        """Tell what has still to be told; raises as sending does.

        Args:
            bounds: How much of the conversation is told.
            timeout_s: How long the endpoint may take to confirm it, in seconds; then the session goes on without.
        """
        conversation = self._state.conversation
        there = {item for item in conversation.items if not item.leaving}
        for item in self._told - there:
            await self._send({"type": "conversation.item.delete", "item_id": item.id})
        self._told &= there
        told = self._untold(bounds)
        self._told |= told.keys()
        if told:
            asked = set(await self._send(*told.values()))
            with anyio.move_on_after(timeout_s) as waiting:
                while conversation.unconfirmed(asked) and not self._pump.is_over:
                    await self._changes.next()
            if waiting.cancelled_caught:
                logs.logger().warning("history_unconfirmed", items=conversation.unconfirmed(asked))

    def _untold(self, bounds: History) -> dict[Item, JsonObject]:
        if self._state.kind != "realtime":
            # The others take no items.
            return {}
        conversation = self._state.conversation
        events = replay(conversation, bounds, audio_format=self._state.configuration.output_format)
        return {item: each for each in events if (item := conversation.by_id[each["item"]["id"]]) not in self._told}
