"""The answer that a language model writes, shown or spoken while it is written."""

from collections.abc import Callable
from typing import Final

from runner.local.session.chat_messages import chat_tools, messages_of
from runner.local.session.response import Response
from runner.local.session.response_request import ResponseRequest
from runner.local.session.server_event import ServerEvent
from runner.local.session.spoken_text import SpokenText
from runner.local.speech.language_model import ModelRequest
from runner.local.speech.replies import Call

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""The API's reason why a response is incomplete, by the model's reason to stop."""


def model_request(request: ResponseRequest, instructions: str) -> ModelRequest:
    """What the model is asked for a response, under these instructions."""
    offer = request.offer
    choice = {"type": "function", "function": {"name": offer.name}} if offer.choice == "named" else offer.choice
    return ModelRequest(
        messages_of(request.items, instructions),
        # Not every server knows that none may be called.
        tools=[] if choice == "none" else chat_tools(offer.functions.values()),
        tool_choice=None if choice == "auto" else choice,
        max_tokens=request.max_output_tokens,
    )


class WrittenAnswer:
    """Takes over what the model writes, part by part.

    Args:
        response: The response that it answers.
        spoken: What is said aloud of it, or None for a response in text.
        speak: Called when more of it can be said aloud.
    """

    def __init__(self, response: Response, spoken: SpokenText | None, speak: Callable[[], None]) -> None:
        self._response = response
        self._spoken = spoken
        self._speak = speak
        self._is_blank = True
        response.is_open_ended = True

    def take(self, part: str | Call) -> list[ServerEvent]:
        """Take over what comes next; returns the events that show it."""
        if isinstance(part, Call):
            self._response.add_call(part)
            return []
        text = part.lstrip() if self._is_blank else part
        if not text:
            return []
        self._is_blank = False
        if self._spoken is None:
            return self._response.add_piece(text, b"")
        self._spoken.add(text)
        self._speak()
        return []

    def end(self, finish_reason: str) -> list[ServerEvent]:
        """The model has stopped; returns the events that end the response, unless it is still speaking."""
        self._response.is_open_ended = False
        self._response.incomplete_reason = _INCOMPLETE.get(finish_reason, "")
        if self._spoken is None:
            self._response.can_advance = True
            return self._response.advance()
        self._spoken.end()
        self._speak()
        return []
