"""One response and the events that stream it, piece by piece, to its end."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, Final, Literal

from runner.local.session.identifiers import new_id
from runner.local.session.item_store import MS_PER_OUTPUT_TOKEN, ItemStore, Tokens
from runner.local.session.output_call import OutputCall
from runner.local.session.output_item import OutputItem
from runner.local.session.output_mcp import OutputApprovalRequest, OutputMcpCall
from runner.local.session.output_message import OutputMessage
from runner.local.session.response_request import ResponseRequest
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.replies import Call
from runner.local.speech.tones import pieces

Ending = Literal["completed", "cancelled", "incomplete", "failed"]

_CHARACTERS_PER_TOKEN: Final = 4
_PIECE_CHARACTERS: Final = 24
"""The length of a piece of a call's arguments."""


class Response:
    """A response: what it says, and then what it calls, at once or piece by piece as a worker thread makes it.

    Args:
        request: What the response is to be.
        conversation: The conversation that it belongs to, or None for a response out of band.

    Attributes:
        is_done: Whether the response has ended.
        has_sent_audio: Whether it has sent audio.
        can_advance: Whether it goes on by itself, by `advance`.
        is_open_ended: Whether more may come than is streamed so far.
        incomplete_reason: Why what is streamed is not all that there was to say, as the API names it; "" where it is.
    """

    def __init__(self, request: ResponseRequest, conversation: ItemStore | None) -> None:
        self.id = new_id("resp")
        self.is_done = False
        self.has_sent_audio = False
        self.can_advance = False
        self.is_open_ended = False
        self.incomplete_reason = ""
        self.request = request
        self._conversation = conversation
        self._pieces: Iterator[tuple[str, bytes]] = iter(())
        self._calls: deque[Call] = deque()
        self._arguments: deque[str] = deque()
        """The pieces of the arguments of the last call that are still to come."""
        self._output: list[OutputItem] = []
        self._message: OutputMessage | None = None
        self._call: OutputCall | OutputMcpCall | None = None
        self._text_tokens = 0
        self._audio_tokens = 0

    def begin(self) -> list[ServerEvent]:
        """The response begins; returns its first event."""
        return [server_event("response.created", response=self._view("in_progress"))]

    def stream(
        self, spoken_pieces: Iterator[tuple[str, bytes]] | None, calls: Sequence[Call] = ()
    ) -> list[ServerEvent]:
        """Stream pieces of text with their 16-bit samples, and then calls, one piece for each `advance`.

        Args:
            spoken_pieces: What it says; None where it only calls.
            calls: What it calls.

        Returns:
            The events that announce the message.
        """
        self._calls.extend(calls)
        self.can_advance = True
        if spoken_pieces is None:
            return []
        self._pieces = spoken_pieces
        return self._begin_message()

    def follow(self, spoken_pieces: Iterator[tuple[str, bytes]]) -> None:
        """Stream pieces that are still being made, as `stream` does; the message begins with the first of them."""
        self._pieces = spoken_pieces
        self.can_advance = True

    def add_call(self, call: Call) -> None:
        """Call something once all is said; the response goes on by itself only after that."""
        self._calls.append(call)

    def stream_text(self, text: str, calls: Sequence[Call] = ()) -> list[ServerEvent]:
        """Stream a text without audio, and then calls."""
        return self.stream(zip(pieces(text), repeat(b"")) if text else None, calls)

    def advance(self) -> list[ServerEvent]:
        """The response adds its next piece, or ends; returns the events."""
        if piece := next(self._pieces, None):
            return self.add_piece(*piece)
        if self._arguments:
            return self._add_arguments(self._arguments.popleft())
        if self._calls:
            return self._begin_call(self._calls.popleft())
        if self.is_open_ended:
            self.can_advance = False
            return []
        return self.finish()

    def add_piece(self, text: str, pcm: bytes) -> list[ServerEvent]:
        """Add a piece of text and its 16-bit samples; a piece over the limit of tokens ends the response."""
        audio_format = self.request.audio_format
        audio = audio_format.encode(pcm) if audio_format else b""
        words = len(text.split()) or bool(text)
        sounds = -(-int(audio_format.ms(len(audio))) // MS_PER_OUTPUT_TOKEN) if audio_format else 0
        if self._exceeds(words + sounds):
            return self._finish("incomplete", {"reason": "max_output_tokens"})
        self._text_tokens += words
        self._audio_tokens += sounds
        self.has_sent_audio = self.has_sent_audio or bool(audio)
        announced = self._begin_message() if self._message is None else []
        return [*announced, *(self._message.add(text, audio) if self._message else ())]

    @property
    def audio_ms(self) -> float:
        """The length of the audio so far, in milliseconds."""
        audio_format = self.request.audio_format
        return audio_format.ms(self._message.audio_bytes) if audio_format and self._message else 0.0

    def finish(self) -> list[ServerEvent]:
        """All that is streamed has been sent; returns the last events."""
        if self.incomplete_reason:
            return self._finish("incomplete", {"reason": self.incomplete_reason})
        return self._finish("completed", None)

    def cancel(self, reason: str) -> list[ServerEvent]:
        """Cancel the response, for a reason of the API such as `client_cancelled`; returns its last events."""
        return self._finish("cancelled", {"reason": reason})

    def fail(self, code: str) -> list[ServerEvent]:
        """End the response because an engine has failed; returns its last events."""
        return self._finish("failed", {"error": {"type": "server_error", "code": code}})

    def show_text(self) -> None:
        """Put the text so far into the message that is being said."""
        if self._message and self._message.is_open:
            self._message.show_text()

    def usage(self) -> dict[str, Any]:
        """The usage of the response so far, in tokens."""
        prompt = self.request.prompt_tokens
        cached = Tokens(text=min(self.request.cached_tokens, prompt.text))
        cached += Tokens(audio=min(self.request.cached_tokens - cached.text, prompt.audio))
        output = self._text_tokens + self._audio_tokens
        return {
            "total_tokens": prompt.total + output,
            "input_tokens": prompt.total,
            "output_tokens": output,
            "input_token_details": {
                "text_tokens": prompt.text,
                "audio_tokens": prompt.audio,
                "image_tokens": prompt.image,
                "cached_tokens": cached.total,
                "cached_tokens_details": {"text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": self._text_tokens, "audio_tokens": self._audio_tokens},
        }

    def _begin_message(self) -> list[ServerEvent]:
        self._message = OutputMessage(self.request.audio_format, **self._next_place())
        self._output.append(self._message)
        return self._message.announce()

    def _begin_call(self, call: Call) -> list[ServerEvent]:
        """What came before is over, and the next call begins."""
        ended = self._end_open_item(is_whole=True)
        if self.request.offer.asks_first(call):
            asked = OutputApprovalRequest(call, **self._next_place())
            self._output.append(asked)
            return [*ended, *asked.announce(), *asked.end(is_whole=True)]
        made = OutputMcpCall if call.server else OutputCall
        self._call = made(call, **self._next_place())
        self._output.append(self._call)
        self._arguments.extend(_cut(call.arguments))
        return [*ended, *self._call.announce()]

    def _add_arguments(self, piece: str) -> list[ServerEvent]:
        tokens = -(-len(piece) // _CHARACTERS_PER_TOKEN)
        if self._exceeds(tokens):
            return self._finish("incomplete", {"reason": "max_output_tokens"})
        self._text_tokens += tokens
        return self._call.add(piece) if self._call else []

    def _exceeds(self, tokens: int) -> bool:
        limit = self.request.max_output_tokens
        return limit is not None and self._text_tokens + self._audio_tokens + tokens > limit

    def _next_place(self) -> dict[str, Any]:
        return {"response_id": self.id, "output_index": len(self._output), "conversation": self._conversation}

    def _end_open_item(self, *, is_whole: bool) -> list[ServerEvent]:
        return [event for each in self._output if each.is_open for event in each.end(is_whole=is_whole)]

    def _finish(self, ending: Ending, why: dict[str, Any] | None) -> list[ServerEvent]:
        self.is_done = True
        ended = self._end_open_item(is_whole=ending == "completed")
        details = {"type": ending, **why} if why else None
        output = [each.view() for each in self._output]
        shown = self._view(ending, status_details=details, output=output, usage=self.usage())
        return [*ended, server_event("response.done", response=shown)]

    def _view(self, status: str, **more: Any) -> dict[str, Any]:
        shown = {"object": "realtime.response", "id": self.id, "status": status, "output": [], **self.request.fields}
        if self._conversation:
            shown["conversation_id"] = self._conversation.id
        return shown | {name: value for name, value in more.items() if value is not None}


def _cut(arguments: str) -> list[str]:
    """A call's arguments in pieces."""
    return [arguments[start : start + _PIECE_CHARACTERS] for start in range(0, len(arguments), _PIECE_CHARACTERS)]
