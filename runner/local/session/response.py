"""One response and the events that stream it, piece by piece, to its end."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, Literal

import pybase64

from runner.local.session.identifiers import new_id
from runner.local.session.item_store import MS_PER_OUTPUT_TOKEN, ItemStore, StoredItem, Tokens
from runner.local.session.response_request import ResponseRequest
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.tones import pieces

Ending = Literal["completed", "cancelled", "incomplete", "failed"]


class Response:
    """A response; its text and audio are streamed at once, or piece by piece as a worker thread makes them.

    Args:
        request: What the response is to be.
        conversation: The conversation that it belongs to, or None for a response out of band.

    Attributes:
        is_done: Whether the response has ended.
        has_sent_audio: Whether it has sent audio.
        can_advance: Whether it goes on by itself, by `advance`.
    """

    def __init__(self, request: ResponseRequest, conversation: ItemStore | None) -> None:
        self.id = new_id("resp")
        self.is_done = False
        self.has_sent_audio = False
        self.can_advance = False
        self.request = request
        self._conversation = conversation
        self._pieces: Iterator[tuple[str, bytes]] = iter(())
        self._texts: list[str] = []
        self._text_tokens = 0
        self._audio_tokens = 0
        self._audio_bytes = 0
        message = {"id": new_id("item"), "object": "realtime.item", "type": "message", "status": "in_progress"}
        self.stored_item = StoredItem({**message, "role": "assistant", "content": []})
        self._previous_item_id: str | None = None
        self._text_name = "output_audio_transcript" if request.audio_format else "output_text"

    def begin(self) -> list[ServerEvent]:
        """The response begins; returns its events up to the first piece."""
        if self._conversation:
            self._previous_item_id = self._conversation.insert(self.stored_item)
        item = self._item()
        part = {"type": "audio", "transcript": ""} if self.request.audio_format else {"type": "text", "text": ""}
        return [
            server_event("response.created", response=self._view("in_progress")),
            self._event("response.output_item.added", item=item),
            *self._if_in_conversation("conversation.item.added", item),
            self._content_event("response.content_part.added", part=part),
        ]

    def stream(self, spoken_pieces: Iterator[tuple[str, bytes]]) -> None:
        """Stream pieces of text with their 16-bit samples, one piece for each `advance`."""
        self._pieces = spoken_pieces
        self.can_advance = True

    def stream_text(self, text: str) -> None:
        """Stream a text without audio."""
        self.stream(zip(pieces(text), repeat(b"")))

    def advance(self) -> list[ServerEvent]:
        """The response adds its next piece, or ends; returns the events."""
        piece = next(self._pieces, None)
        return self.add_piece(*piece) if piece else self.finish()

    def add_piece(self, text: str, pcm: bytes) -> list[ServerEvent]:
        """Add a piece of text and its 16-bit samples; a piece over the limit of tokens ends the response."""
        audio_format = self.request.audio_format
        audio = audio_format.encode(pcm) if audio_format else b""
        words = len(text.split()) or bool(text)
        sounds = -(-int(audio_format.ms(len(audio))) // MS_PER_OUTPUT_TOKEN) if audio_format else 0
        limit = self.request.max_output_tokens
        if limit is not None and self._text_tokens + self._audio_tokens + words + sounds > limit:
            return self._finish("incomplete", {"reason": "max_output_tokens"})
        self._text_tokens += words
        self._audio_tokens += sounds
        events = []
        if text:
            self._texts.append(text)
            events.append(self._content_event(f"response.{self._text_name}.delta", delta=text))
        if audio and audio_format:
            self.has_sent_audio = True
            self._audio_bytes += len(audio)
            if not self.stored_item.is_truncated:
                self.stored_item.audio_ms = int(audio_format.ms(self._audio_bytes))
            delta = pybase64.b64encode_as_string(audio)
            events.append(self._content_event("response.output_audio.delta", delta=delta))
        return events

    @property
    def audio_ms(self) -> float:
        """The length of the audio so far, in milliseconds."""
        return self.request.audio_format.ms(self._audio_bytes) if self.request.audio_format else 0.0

    def finish(self) -> list[ServerEvent]:
        """The response is complete; returns its last events."""
        return self._finish("completed", None)

    def cancel(self, reason: str) -> list[ServerEvent]:
        """Cancel the response, for a reason of the API such as `client_cancelled`; returns its last events."""
        return self._finish("cancelled", {"reason": reason})

    def fail(self, code: str) -> list[ServerEvent]:
        """End the response because an engine has failed; returns its last events."""
        return self._finish("failed", {"error": {"type": "server_error", "code": code}})

    def show_text(self) -> None:
        """Put the text so far into the item; `add_piece` does not, since joining a long text each time is slow."""
        text = "".join(self._texts)
        if self.request.audio_format is None:
            part = {"type": "output_text", "text": text}
        elif self.stored_item.is_truncated:
            part = {"type": "output_audio"}
        else:
            part = {"type": "output_audio", "transcript": text}
        self.stored_item.item["content"] = [part]

    def _finish(self, ending: Ending, why: dict[str, Any] | None) -> list[ServerEvent]:
        self.is_done = True
        self.show_text()
        self.stored_item.item["status"] = "completed" if ending == "completed" else "incomplete"
        text, item = "".join(self._texts), self._item()
        if self.request.audio_format:
            part = {"type": "audio", "transcript": text}
            closing = [
                self._content_event("response.output_audio.done"),
                self._content_event("response.output_audio_transcript.done", transcript=text),
            ]
        else:
            part = {"type": "text", "text": text}
            closing = [self._content_event("response.output_text.done", text=text)]
        details = {"type": ending, **why} if why else None
        return [
            *closing,
            self._content_event("response.content_part.done", part=part),
            *self._if_in_conversation("conversation.item.done", item),
            self._event("response.output_item.done", item=item),
            server_event(
                "response.done", response=self._view(ending, status_details=details, output=[item], usage=self.usage())
            ),
        ]

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

    def _item(self) -> dict[str, Any]:
        return {**self.stored_item.item, "content": [dict(part) for part in self.stored_item.item["content"]]}

    def _view(self, status: str, **more: Any) -> dict[str, Any]:
        shown = {"object": "realtime.response", "id": self.id, "status": status, "output": [], **self.request.fields}
        if self._conversation:
            shown["conversation_id"] = self._conversation.id
        return shown | {name: value for name, value in more.items() if value is not None}

    def _event(self, kind: str, **fields: Any) -> ServerEvent:
        return server_event(kind, response_id=self.id, output_index=0, **fields)

    def _content_event(self, kind: str, **fields: Any) -> ServerEvent:
        return self._event(kind, item_id=self.stored_item.id, content_index=0, **fields)

    def _if_in_conversation(self, kind: str, item: dict[str, Any]) -> list[ServerEvent]:
        return [server_event(kind, previous_item_id=self._previous_item_id, item=item)] if self._conversation else []
