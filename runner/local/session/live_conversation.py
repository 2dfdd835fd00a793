"""The conversation of a Live session, as its model knows it."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from runner.local.session.chat_messages import valid_arguments

LETTERS_PER_TOKEN: Final = 4
_MOST: Final = 512
_ROLES: Final = {"developer": "system"}
"""Chat completions know the developer as the system."""


class LiveConversation:
    """Who has said what, the oldest first; a conversation without end forgets its beginning.

    Args:
        history: The messages that it begins with, each by its role and its text.
    """

    def __init__(self, history: Iterable[tuple[str, str]] = ()) -> None:
        self._messages: deque[dict[str, Any]] = deque(maxlen=_MOST)
        for role, text in history:
            self.add(role, text)

    def add(self, role: str, text: str) -> None:
        """Somebody has said something: the user, the assistant or the developer."""
        self._messages.append({"role": _ROLES.get(role, role), "content": text})

    def go_on(self, words: str) -> None:
        """The assistant has said more."""
        last = self._messages[-1] if self._messages else {}
        if last.get("role") == "assistant" and isinstance(last.get("content"), str):
            last["content"] += words
        else:
            self.add("assistant", words.lstrip())

    def note_call(self, call_id: str, name: str, arguments: str, output: str) -> None:
        """A function was called and has answered."""
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": valid_arguments(arguments)}}
        self._messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": output})

    def messages(self, instructions: str) -> list[dict[str, Any]]:
        """All messages, as chat completions have them, behind these instructions."""
        system = [{"role": "system", "content": instructions}] if instructions else []
        return [*system, *map(dict, self._messages)]

    @property
    def tokens(self) -> int:
        """The tokens of all messages, as far as their letters tell."""
        return -(-sum(len(each["content"] or "") for each in self._messages) // LETTERS_PER_TOKEN)

    def texts(self) -> list[tuple[str, str]]:
        """What people have said, by the role and the text of each message."""
        return [
            (each["role"], each["content"]) for each in self._messages if each["role"] != "tool" and each["content"]
        ]
