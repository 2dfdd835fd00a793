"""The conversation as a Live session is told of it: with its start, and by silent context once it has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.protocol import history
from runner.protocol.made_calls import made_calls
from runner.protocol.typed_text import known_event

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from runner.audio.format import AudioFormat
    from runner.protocol.conversation import Conversation
    from runner.protocol.item import Item
    from runner.protocol.json_fields import JsonObject
    from runner.settings.continuity import History

MOST_MESSAGES: Final = 128
"""The most messages that a session starts with."""
MOST_TOKENS: Final = 8192
"""The most tokens that these may have, estimated."""
_CHARACTERS_PER_TOKEN: Final = 4
_LONGEST_CONTENT: Final = 1500
"""The longest text that is added at a time, in characters: the API takes 500 tokens."""
_MEANWHILE: Final = "Meanwhile this was said in the conversation:\n"
_NAMES: Final = {"user": "User", "assistant": "You", "developer": "Developer"}


class Told(NamedTuple):
    """An item of the conversation as a message."""

    item: Item
    message: JsonObject

    @property
    def text(self) -> str:
        """Its words."""
        text: str = self.message["content"][0]["text"]
        return text


def told_messages(conversation: Conversation, bounds: History, audio_format: AudioFormat) -> list[Told]:
    """The newest messages of a conversation that the bounds allow, the oldest first, each as one text.

    Of a function that was called, what it has answered is one.
    """
    found = []
    replayed = history.replay(conversation, bounds, audio_format=audio_format)
    has_calls = any(event["item"]["type"] == "function_call_output" for event in replayed)
    calls = {each.output: each.items[-1] for each in made_calls(conversation.items)} if has_calls else {}
    for event in replayed:
        item = event["item"]
        known = conversation.by_id[item["id"]]
        if item["type"] == "function_call_output" and (call := calls.get(known)):
            text = answered_call_text(call.name, call.text, known.text)
            content = [{"type": "input_text", "text": text}]
            found.append(Told(known, {"type": "message", "role": "developer", "content": content}))
        elif item["type"] == "message":
            text = "".join(part["text"] for part in item["content"])
            role = "developer" if item["role"] == "system" else item["role"]
            content = [{"type": item["content"][0]["type"], "text": text}]
            message = {"type": "message", "role": role, "content": content}
            found.append(Told(known, message))
    return found


def answered_call_text(name: str, arguments: str, output: str) -> str:
    """What a Live session is told of a function that was called before its start, or by another session."""
    return f"{name} has answered, to {arguments}: {output[:_LONGEST_CONTENT]}"


def start_bounds(bounds: History, first: Sequence[JsonObject]) -> History:
    """How much of a conversation fits into the start of a session, after messages that always stand there."""
    written = sum(len(part.get("text", "")) for each in first for part in each.get("content", ()))
    return bounds.model_copy(
        update={
            "max_items": max(0, min(bounds.max_items, MOST_MESSAGES - len(first))),
            "max_tokens": max(0, min(bounds.max_tokens, MOST_TOKENS - written // _CHARACTERS_PER_TOKEN)),
        }
    )


def known_events(text: str) -> Iterator[JsonObject]:
    """The client events that let a running session know a text, a piece at a time."""
    for start in range(0, len(text), _LONGEST_CONTENT):
        yield known_event(text[start : start + _LONGEST_CONTENT])


def meanwhile_events(told: Sequence[Told], known: Container[Item]) -> Iterator[JsonObject]:
    """The client events that tell a running session, silently, of messages that it does not know."""
    lines = [f"{_NAMES[each.message['role']]}: {each.text}\n" for each in told if each.item not in known]
    content = ""
    for line in lines:
        for start in range(0, len(line), _LONGEST_CONTENT):
            piece = line[start : start + _LONGEST_CONTENT]
            if content and len(content) + len(piece) > _LONGEST_CONTENT:
                yield known_event(f"{_MEANWHILE}{content}")
                content = ""
            content += piece
    if content:
        yield known_event(f"{_MEANWHILE}{content}")
