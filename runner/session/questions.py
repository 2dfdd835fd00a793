"""The questions that a program asks of a session, one after another, and the answers that it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from runner.protocol.typed_text import typed_event
from runner.session.client_event import checked_text, user_message
from runner.session.reply import Reply

if TYPE_CHECKING:
    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.session.outbox import Outbox
    from runner.session.session_tools import SessionTools


class Questions:
    """Asks one question at a time, so that the first is answered first.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
        tools: What the model may call, which it is to know before it is asked.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, tools: SessionTools | None) -> None:
        self._carriage = carriage
        self._outbox = outbox
        self._tools = tools
        self._replies: dict[str, Reply] = {}
        """The answers that the program waits for, by the ids of their requests."""
        if tools is not None:
            tools.dropped = self.cancel

    @cached_property
    def _turn(self) -> anyio.Lock:
        """Held while a question waits for its turn; made for the first one."""
        return anyio.Lock()

    async def say(self, text: str) -> None:
        """Say something as the user and ask for a response."""
        await self._say(text, {}, {})

    @asynccontextmanager
    async def asking(self, text: str) -> AsyncIterator[Reply]:
        """Ask a question, and have its answer read the session in the meantime."""
        reply = Reply(self._carriage)
        self._replies[reply.request_id] = reply
        self._carriage.add_reader(reply.read)
        try:
            await self._say(text, {"event_id": reply.question_id}, {"event_id": reply.request_id})
            yield reply
        finally:
            self._carriage.remove_reader(reply.read)
            del self._replies[reply.request_id]

    async def send_in_turn(self, *events: Mapping[str, Any]) -> None:
        """Send client events that ask for a response, right after each other, once all asked for before are over."""
        made_for = self._carriage.state.kind
        async with self._turn:
            if self._tools is not None:
                await self._tools.settled()
            await self._outbox.ask(*events, made_for=made_for)

    def cancel(self, request_ids: Iterable[str]) -> None:
        """Wait no longer for the answers to these requests, which will not be asked for again."""
        for request_id in request_ids:
            if reply := self._replies.get(request_id):
                reply.cancel()

    async def _say(self, text: str, question: JsonObject, request: JsonObject) -> None:
        if self._carriage.state.kind == "live":
            # One event is question and request.
            await self.send_in_turn(typed_event(checked_text(text), request.get("event_id", "")))
            return
        create = {"type": "conversation.item.create", "item": user_message(text), **question}
        await self.send_in_turn(create, {"type": "response.create", **request})
