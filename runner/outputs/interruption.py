"""What the client sends when the user interrupts an answer: how much of it was heard, and that the response ends."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

import anyio

from runner.audio.playout import INTERRUPTION
from runner.errors import RunnerError
from runner.protocol.history import heard
from runner.session.link import Link, NotSent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.item import Item
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session

CANCEL_AFTER_S = 0.25
"""How long an endpoint that hears an interruption may take to end the response by itself, in seconds."""

_OVER_S = 5.0
"""How long a response that was cancelled may take to end, in seconds."""

_numbers = count(1)


class Cut(NamedTuple):
    """One answer that was not heard to its end."""

    item_id: str
    heard_ms: int
    """How much was heard, never more than was received, in milliseconds."""
    content_index: int
    """The part of the item that has the audio."""
    epoch: int
    """The connection that the audio came on."""


class Interruption(NamedTuple):
    """What an interruption has stopped."""

    cuts: Sequence[Cut]
    responses: frozenset[str]
    """The responses that were in flight."""


class Interrupter:
    """Reports one interruption to the endpoint.

    An answer that was heard in part is truncated there. One of which nothing was heard cannot be, since the API
    truncates at no less than a millisecond; it is deleted once its response is over, for the conversation holds what
    was heard. An answer that came on an earlier connection is only text to this one, and is replaced.

    Args:
        session: The session.
        link: The connection that carries it.
        interruption: What was stopped; the conversation has it noted how much was heard.
    """

    def __init__(self, session: Session, link: Link, interruption: Interruption) -> None:
        self._session = session
        self._link = link
        self._interruption = interruption

    async def report(self) -> None:
        """Truncate what was heard in part, end the responses, and delete what was not heard at all."""
        is_detected = self._link.state.configuration.interrupts
        if not is_detected:
            await self._cancel()
        for cut in self._interruption.cuts:
            await self._truncate(cut)
        if is_detected:
            await self._wait_over(CANCEL_AFTER_S)
            await self._cancel()
        unheard = [cut for cut in self._interruption.cuts if not cut.heard_ms and cut.epoch == self._link.epoch]
        if unheard:
            await self._wait_over(_OVER_S)
        for cut in unheard:
            if self._item(cut):
                await self._send({"type": "conversation.item.delete", "item_id": cut.item_id})

    async def _truncate(self, cut: Cut) -> None:
        item = self._item(cut)
        if item and cut.epoch != self._link.epoch:
            await self._replace(item, cut)
        elif item and cut.heard_ms:
            where = {"content_index": cut.content_index, "audio_end_ms": cut.heard_ms}
            await self._send({"type": "conversation.item.truncate", "item_id": cut.item_id, **where})

    async def _replace(self, item: Item, cut: Cut) -> None:
        """Put what was heard in the place of an answer that the connection knows as text."""
        conversation = self._link.state.conversation
        words = heard(item, self._link.state.configuration.output_format)
        content = [{"type": "output_text", "text": words[index]} for index in sorted(words) if words[index]]
        place = conversation.items.index(item)
        previous = conversation.items[place - 1].id if place else "root"
        await self._send({"type": "conversation.item.delete", "item_id": item.id})
        if content:
            item_id = f"item_{token_hex(10)}"
            anew = {"id": item_id, "type": "message", "role": "assistant", "content": content}
            await self._send({"type": "conversation.item.create", "previous_item_id": previous, "item": anew})
            if created := conversation.get(item_id):
                # This turn was announced already, when it was interrupted.
                created.is_announced = True

    def _item(self, cut: Cut) -> Item | None:
        """The item in the conversation, None of one that was said out of band or is gone."""
        item = self._link.state.conversation.get(cut.item_id)
        return item if item and not item.leaving else None

    def _in_flight(self) -> frozenset[str]:
        state = self._link.state
        return self._interruption.responses & (state.in_flight | state.out_of_band_in_flight)

    async def _wait_over(self, within_s: float) -> None:
        with anyio.move_on_after(within_s):
            while self._in_flight() and not self._link.pump.is_over:
                await self._session.changes.next()

    async def _cancel(self) -> None:
        for response_id in sorted(self._in_flight()):
            await self._send({"type": "response.cancel", "response_id": response_id})

    async def _send(self, *events: JsonObject) -> None:
        # What cannot be sent any more reaches the next connection with the history replay.
        with suppress(NotSent, RunnerError):
            await self._link.send(*({**event, "event_id": f"{INTERRUPTION}{next(_numbers):06d}"} for event in events))
