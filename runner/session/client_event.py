"""What callers give a session to send: client events, plain or typed, as the API's JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import pybase64

from runner.api.session_types import APPEND, APPENDS
from runner.errors import IllegalEvent
from runner.protocol.json_text import dumps_strict

if TYPE_CHECKING:
    from runner.api.client_events import ClientEventBase
    from runner.protocol.json_fields import JsonObject

Send = Callable[..., Awaitable[list[str]]]
"""Sends client events on a connection; returns their ids."""


def plain_event(event: Mapping[str, Any] | ClientEventBase) -> JsonObject:
    """A client event as the API's JSON; raises `IllegalEvent` for what is none."""
    if isinstance(event, Mapping):
        return dict(event)
    if not hasattr(event, "to_wire"):
        msg = f"a client event is a mapping or a typed event, not {type(event).__name__}"
        raise IllegalEvent(msg)
    return event.to_wire()


def encoded(event: JsonObject) -> str:
    """A plain client event as text for the wire; raises `IllegalEvent` where JSON cannot hold it."""
    try:
        return dumps_strict(event)
    except ValueError as error:
        msg = f"`{event.get('type')}` cannot be written as JSON: {error}"
        raise IllegalEvent(msg) from None


def user_message(text: object) -> JsonObject:
    """The item of what the user says; raises `IllegalEvent` as `checked_text` does."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": checked_text(text)}]}


def checked_text(text: object) -> str:
    """The text, which every endpoint can read; raises `IllegalEvent` for what is none."""
    if not isinstance(text, str):
        msg = f"a question is a text, not {type(text).__name__}"
        raise IllegalEvent(msg)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"a question is Unicode text; character {error.start + 1} is half of a surrogate pair"
        raise IllegalEvent(msg) from None
    return text


def append_event(audio: bytes, event_id: str) -> JsonObject:
    """The client event that appends audio under this id."""
    return {"type": APPEND, "event_id": event_id, "audio": pybase64.b64encode(audio).decode()}


def appended_audio(event: Mapping[str, Any] | ClientEventBase) -> bytes:
    """The audio of an event that appends it; nothing where it is none that can be read."""
    plain = plain_event(event)
    if plain.get("type") not in APPENDS.values():
        return b""
    try:
        return pybase64.b64decode(str(plain.get("audio", "")), validate=True)
    except ValueError:
        return b""
