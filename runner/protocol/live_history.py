"""The conversation as a Live session is told of it: with its start, and by silent context once it has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.protocol import history

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
    """The newest messages of a conversation that the bounds allow, the oldest first, each as one text."""
    found = []
    for event in history.replay(conversation, bounds, audio_format=audio_format):
        item = event["item"]
        if item["type"] == "message":
            text = "".join(part["text"] for part in item["content"])
            role = "developer" if item["role"] == "system" else item["role"]
            content = [{"type": item["content"][0]["type"], "text": text}]
            message = {"type": "message", "role": role, "content": content}
            found.append(Told(conversation.by_id[item["id"]], message))
    return found


def start_bounds(bounds: History, first: Sequence[JsonObject]) -> History:
    """How much of a conversation fits into the start of a session, after messages that always stand there."""
    written = sum(len(part.get("text", "")) for each in first for part in each.get("content", ()))
    return bounds.model_copy(
        update={
            "max_items": max(0, min(bounds.max_items, MOST_MESSAGES - len(first))),
            "max_tokens": max(0, min(bounds.max_tokens, MOST_TOKENS - written // _CHARACTERS_PER_TOKEN)),
        }
    )


def meanwhile_events(told: Sequence[Told], known: Container[Item]) -> Iterator[JsonObject]:
    """The client events that tell a running session, silently, of messages that it does not know."""
    lines = [f"{_NAMES[each.message['role']]}: {each.text}\n" for each in told if each.item not in known]
    content = ""
    for line in lines:
        for start in range(0, len(line), _LONGEST_CONTENT):
            piece = line[start : start + _LONGEST_CONTENT]
            if content and len(content) + len(piece) > _LONGEST_CONTENT:
                yield _thinking(content)
                content = ""
            content += piece
    if content:
        yield _thinking(content)


def _thinking(content: str) -> JsonObject:
    return {"type": "session.thinking.append", "content": f"{_MEANWHILE}{content}", "delegation_id": None}
