"""What the local endpoint asks of a language model, and what it gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runner.local.speech.replies import Call


class NoAnswer(Exception):
    """The language model does not answer.

    Args:
        message: Why, in one sentence without a final full stop.
        hint: What can be done about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class ModelRequest:
    """What a language model is asked.

    Args:
        messages: The conversation, as messages of chat completions.
        tools: The functions that the model may call, as tools of chat completions.
        tool_choice: How the model chooses among them, as in chat completions; None leaves it to the model.
        max_tokens: The longest answer, or None.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    max_tokens: int | None = None


class LanguageModel(Protocol):
    """A language model that writes the answers of one session."""

    async def answer(self, request: ModelRequest, take: Callable[[str | Call], None]) -> str:
        """Have a request answered; a caller that is cancelled has the model stop.

        Args:
            request: The request.
            take: Called with each piece of text as the model writes it, and last with each call; it never waits.

        Returns:
            Why the model has stopped, in the words of chat completions: `stop`, `length`, `tool_calls`, ….

        Raises:
            NoAnswer: There is no answer, or it breaks off.
        """

    async def aclose(self) -> None:
        """Close the connections to the model."""
