"""What the user of a Live session types, which the API has no event for: an instruction to answer it."""

from typing import Final

from runner.protocol.json_fields import JsonObject

INSTRUCTIONS: Final = "session.instructions.append"
COMMENTARY: Final = "session.commentary.append"
THINKING: Final = "session.thinking.append"

_BEGINNING: Final = "The user has typed what follows. Answer it aloud.\n\n"
_BEGINNING_AGAIN: Final = (
    "The connection was lost before these words of the user were answered. Answer them aloud now.\n\n"
)

_OPENING: Final = "Speak first, now, as follows.\n\n"


def typed_event(text: str, event_id: str = "") -> JsonObject:
    """The client event by which a Live session is asked what the user has typed."""
    named = {"event_id": event_id} if event_id else {}
    return {"type": INSTRUCTIONS, **named, "content": f"{_BEGINNING}{text}", "delegation_id": None}


def repeated_event(words: str) -> JsonObject:
    """The client event that asks for the answer to words of the user which was lost with a connection."""
    return {"type": INSTRUCTIONS, "content": f"{_BEGINNING_AGAIN}{words}", "delegation_id": None}


def opening_event(prompt: str, event_id: str) -> JsonObject:
    """The client event by which a Live session is asked to speak first, as a prompt says."""
    return {"type": INSTRUCTIONS, "event_id": event_id, "content": f"{_OPENING}{prompt}", "delegation_id": None}


def opening_prompt(content: str) -> str:
    """The prompt by which a session is asked to speak first; nothing where an instruction is another one."""
    return content.removeprefix(_OPENING) if content.startswith(_OPENING) else ""


def says_first(event: JsonObject) -> bool:
    """Whether a client event asks for something to be said that answers nobody."""
    return event.get("type") == COMMENTARY or bool(opening_prompt(str(event.get("content"))))


def told_event(instruction: str) -> JsonObject:
    """The client event by which a Live session is told something by its developer."""
    return {"type": INSTRUCTIONS, "content": instruction, "delegation_id": None}


def known_event(text: str) -> JsonObject:
    """The client event by which a Live session learns something without saying it."""
    return {"type": THINKING, "content": text, "delegation_id": None}


def spoken_event(text: str, event_id: str) -> JsonObject:
    """The client event by which a Live session is asked to say something."""
    return {"type": COMMENTARY, "event_id": event_id, "content": text, "delegation_id": None}


def typed_text(event: JsonObject) -> str:
    """What the user has typed, nothing where this client event brings no such thing."""
    content = event.get("content")
    return typed_content(content) if event.get("type") == INSTRUCTIONS and isinstance(content, str) else ""


def typed_content(content: str) -> str:
    """What the user has typed, by the content of an instruction; nothing where that is another one."""
    return content.removeprefix(_BEGINNING) if content.startswith(_BEGINNING) else ""


def unanswered_words(content: str) -> str:
    """The words of the user that an instruction asks to be answered, typed now or said before; else nothing."""
    return typed_content(content) or (
        content.removeprefix(_BEGINNING_AGAIN) if content.startswith(_BEGINNING_AGAIN) else ""
    )


def typed_item(event: JsonObject, item_id: str) -> JsonObject | None:
    """The item of what the user has typed, None where this client event brings no such thing."""
    text = typed_text(event)
    content = [{"type": "input_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "user", "content": content} if text else None


def asks_for_speech(event: JsonObject) -> bool:
    """Whether the model is to say something to this client event of a Live session."""
    if event.get("type") == COMMENTARY:
        return event.get("delegation_id") is None
    content = event.get("content")
    return (
        event.get("type") == INSTRUCTIONS
        and isinstance(content, str)
        and bool(unanswered_words(content) or opening_prompt(content))
    )
