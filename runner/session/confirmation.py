"""Client events that are sent and confirmed: whoever asks learns whether the endpoint does what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from runner.errors import IllegalEvent, RunnerError
from runner.protocol.effects import ErrorReported, ResponseEnded, ResponseStarted, SessionEnded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session
    from runner.session.update import Update

CONFIRMATION_S: Final = 10.0
"""How long the endpoint may take to confirm what it was asked for, in seconds; then the request counts as sent."""

_ANSWERS: Final = {
    "session.update": ("session.updated",),
    "conversation.item.create": ("conversation.item.added", "conversation.item.created"),
    "conversation.item.delete": ("conversation.item.deleted",),
    "conversation.item.truncate": ("conversation.item.truncated",),
    "conversation.item.retrieve": ("conversation.item.retrieved",),
    "input_audio_buffer.commit": ("input_audio_buffer.committed",),
    "input_audio_buffer.clear": ("input_audio_buffer.cleared",),
    "output_audio_buffer.clear": ("output_audio_buffer.cleared",),
    "session.close": ("session.closed",),
    "session.commentary.append": ("session.commentary.appended",),
    "session.input_audio.mute": ("session.input_audio.muted",),
    "session.input_audio.unmute": ("session.input_audio.unmuted",),
    "session.instructions.append": ("session.instructions.appended",),
    "session.thinking.append": ("session.thinking.appended",),
}
"""The server events that confirm a client event; of the others, only requests for responses are confirmed."""


class Confirmation:
    """What an endpoint makes of client events: a reader of the session, in a `with` block.

    Args:
        session: The session.
        events: The client events, with their ids; the last one is to be confirmed, none may be refused.

    Attributes:
        response_id: The response that a request for one has brought.
    """

    def __init__(self, session: Session, events: Sequence[JsonObject]) -> None:
        event = events[-1]
        self._session = session
        self._event_ids = {each["event_id"] for each in events}
        self._event_id: str = event["event_id"]
        self._is_response = event["type"] == "response.create"
        self._answers = _ANSWERS.get(event["type"], ())
        item = event.get("item")
        self._item_id = item.get("id") if isinstance(item, dict) else event.get("item_id")
        self._refusal: RunnerError | None = None
        self._is_over = False
        self._is_decided = anyio.Event()
        self.response_id = ""

    def __enter__(self) -> Confirmation:
        self._session.carriage.add_reader(self._read)
        self._session.state.sent.awaited.update(self._event_ids)
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.state.sent.awaited.difference_update(self._event_ids)
        self._session.carriage.remove_reader(self._read)

    @property
    def is_possible(self) -> bool:
        """Whether endpoints confirm such an event at all."""
        return bool(self._answers) or self._is_response

    async def wait(self) -> bool:
        """Wait for the endpoint's answer, in bounds; returns whether it has confirmed the event.

        Raises:
            RunnerError: The endpoint refuses the event, or the session has ended.
        """
        with anyio.move_on_after(CONFIRMATION_S):
            await self._is_decided.wait()
        if self._refusal:
            raise self._refusal
        if self._is_over:
            msg = "the session has ended"
            raise IllegalEvent(msg)
        return self._is_decided.is_set()

    def _read(self, update: Update) -> None:
        for effect in update.effects:
            match effect:
                case ErrorReported(client_event_id=cause, error=error) if cause in self._event_ids:
                    self._refusal = error
                case ResponseEnded(request_id=self._event_id, status="refused", error=error):
                    self._refusal = error
                case ResponseStarted(request_id=self._event_id, response_id=response_id):
                    self.response_id = response_id
                case SessionEnded():
                    self._is_over = True
                case _:
                    continue
            self._is_decided.set()
        if update.event and update.event.get("type") in self._answers and self._names_item(update.event):
            self._is_decided.set()

    def _names_item(self, event: JsonObject) -> bool:
        if self._item_id is None:
            return True
        item = event.get("item")
        return bool(self._item_id == (item.get("id") if isinstance(item, dict) else event.get("item_id")))


async def send_confirmed(session: Session, *events: JsonObject, in_turn: bool = False) -> dict[str, Any]:
    """Send client events right after each other, and wait until the endpoint has confirmed the last one.

    Args:
        session: The session.
        events: The client events.
        in_turn: Whether to wait until the responses asked for before are over.

    Returns:
        The ids of the event, of its item and of its response, as far as it has them; and, of an event that endpoints
        confirm, whether it is `confirmed`.

    Raises:
        RunnerError: It cannot be sent, the endpoint refuses it, or the session has ended.
    """
    identified = [session.state.identified(each) for each in events]
    with Confirmation(session, identified) as confirmation:
        if in_turn:
            await session.send_in_turn(*identified)
        else:
            for each in identified:
                await session.send(each)
        confirmed = {"confirmed": await confirmation.wait()} if confirmation.is_possible else {}
    created = next((each["item"].get("id") for each in identified if isinstance(each.get("item"), dict)), None)
    ids = {"event_id": identified[-1]["event_id"], "item_id": created, "response_id": confirmation.response_id}
    return {**{name: each for name, each in ids.items() if each}, **confirmed}
