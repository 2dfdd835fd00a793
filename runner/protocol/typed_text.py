"""What the user of a Live session types, which the API has no event for: an instruction to answer it."""

from typing import Final

from runner.protocol.json_fields import JsonObject

INSTRUCTIONS: Final = "session.instructions.append"
COMMENTARY: Final = "session.commentary.append"

_BEGINNING: Final = "The user has typed what follows. Answer it aloud.\n\n"

ANSWER_AGAIN: Final[JsonObject] = {
    "type": INSTRUCTIONS,
    "content": "The connection was lost before the user's last words were answered. Answer them now.",
    "delegation_id": None,
}
"""Asks for the answer that was lost with a connection, of a session that has been told of the conversation."""


def typed_event(text: str, event_id: str = "") -> JsonObject:
    """The client event by which a Live session is asked what the user has typed."""
    named = {"event_id": event_id} if event_id else {}
    return {"type": INSTRUCTIONS, **named, "content": f"{_BEGINNING}{text}", "delegation_id": None}


def spoken_event(text: str, event_id: str) -> JsonObject:
    """The client event by which a Live session is asked to say something."""
    return {"type": COMMENTARY, "event_id": event_id, "content": text, "delegation_id": None}


def typed_text(event: JsonObject) -> str:
    """What the user has typed, nothing where this client event brings no such thing."""
    content = event.get("content")
    is_typed = event.get("type") == INSTRUCTIONS and isinstance(content, str) and content.startswith(_BEGINNING)
    return content.removeprefix(_BEGINNING) if is_typed and isinstance(content, str) else ""


def typed_item(event: JsonObject, item_id: str) -> JsonObject | None:
    """The item of what the user has typed, None where this client event brings no such thing."""
    text = typed_text(event)
    content = [{"type": "input_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "user", "content": content} if text else None


def asks_for_speech(event: JsonObject) -> bool:
    """Whether the model owes something to be said after this client event of a Live session."""
    if event.get("type") == COMMENTARY:
        return event.get("delegation_id") is None
    return bool(typed_text(event)) or event.get("content") == ANSWER_AGAIN["content"]
