"""One response: the events that stream it, piece by piece, until it is done or cancelled."""

import base64
import re
from dataclasses import dataclass
from typing import Any, Literal

from runner.local.conversation import Conversation, Entry, Tokens
from runner.local.identifiers import new_id
from runner.local.tone import BYTES_PER_MS, speak

Event = dict[str, Any]
Ending = Literal["completed", "cancelled", "incomplete"]

_PIECE = re.compile(r"\s*\w{1,8}|\s*[^\w\s]|\s+")
_MS_PER_SPOKEN_TOKEN = 50


def event(kind: str, **fields: Any) -> Event:
    """A server event with a fresh id."""
    return {"type": kind, "event_id": new_id("event"), **fields}


@dataclass(frozen=True)
class Order:
    """What a response is to be.

    Args:
        answer: What is said.
        audio: The audio encoding, or None for a response in text.
        shown: The fields of the response object that come from the request or the session.
        prompt: The tokens of the prompt.
        cached: How many of them count as cached.
        max_output_tokens: The limit, or None.
    """

    answer: str
    audio: str | None
    shown: dict[str, Any]
    prompt: Tokens
    cached: int = 0
    max_output_tokens: int | None = None


class Response:
    """A response in flight.

    Args:
        order: What it is to be.
        conversation: Where it belongs, or None for a response out of band.
    """

    def __init__(self, order: Order, conversation: Conversation | None) -> None:
        self.id = new_id("resp")
        self.done = False
        self.spoke = False
        self._order = order
        self._conversation = conversation
        self._pieces = _PIECE.findall(order.answer)
        self._said: list[str] = []
        self._audio_tokens = 0
        message = {"id": new_id("item"), "object": "realtime.item", "type": "message", "status": "in_progress"}
        self.entry = Entry({**message, "role": "assistant", "content": []})
        self._previous: str | None = None
        self._text_name = "output_audio_transcript" if order.audio else "output_text"

    def begin(self) -> list[Event]:
        """The events up to the first piece."""
        if self._conversation:
            self._previous = self._conversation.insert(self.entry)
        item = self._item()
        part = {"type": "audio", "transcript": ""} if self._order.audio else {"type": "text", "text": ""}
        return [
            event("response.created", response=self._view("in_progress")),
            self._event("response.output_item.added", item=item),
            *self._if_in_conversation("conversation.item.added", item),
            self._content_event("response.content_part.added", part=part),
        ]

    def advance(self) -> list[Event]:
        """The next piece, or the end."""
        if len(self._said) == len(self._pieces):
            return self._finish("completed")
        piece = self._pieces[len(self._said)]
        audio = speak(piece, self._order.audio) if self._order.audio else b""
        cost = 1 + self._tokens_of(audio)
        limit = self._order.max_output_tokens
        if limit is not None and len(self._said) + self._audio_tokens + cost > limit:
            return self._finish("incomplete", reason="max_output_tokens")
        self._said.append(piece)
        self._audio_tokens += cost - 1
        events = [self._content_event(f"response.{self._text_name}.delta", delta=piece)]
        if audio and self._order.audio:
            self.spoke = True
            self.entry.audio_ms += len(audio) // BYTES_PER_MS[self._order.audio]
            delta = base64.b64encode(audio).decode("ascii")
            events.append(self._content_event("response.output_audio.delta", delta=delta))
        return events

    def cancel(self) -> list[Event]:
        """End it now."""
        return self._finish("cancelled", reason="client_cancelled")

    def _tokens_of(self, audio: bytes) -> int:
        if not self._order.audio:
            return 0
        return -(-len(audio) // (BYTES_PER_MS[self._order.audio] * _MS_PER_SPOKEN_TOKEN))

    def show_text(self) -> None:
        """Put what was said so far into the item; not done for every piece, since the text is long in the end."""
        text = "".join(self._said)
        part = (
            {"type": "output_audio", "transcript": text} if self._order.audio else {"type": "output_text", "text": text}
        )
        self.entry.item["content"] = [part]

    def _finish(self, ending: Ending, *, reason: str | None = None) -> list[Event]:
        self.done = True
        self.show_text()
        self.entry.item["status"] = "completed" if ending == "completed" else "incomplete"
        text, item = "".join(self._said), self._item()
        if self._order.audio:
            part = {"type": "audio", "transcript": text}
            closing = [
                self._content_event("response.output_audio.done"),
                self._content_event("response.output_audio_transcript.done", transcript=text),
            ]
        else:
            part = {"type": "text", "text": text}
            closing = [self._content_event("response.output_text.done", text=text)]
        details = {"type": ending, "reason": reason} if reason else None
        return [
            *closing,
            self._content_event("response.content_part.done", part=part),
            *self._if_in_conversation("conversation.item.done", item),
            self._event("response.output_item.done", item=item),
            event(
                "response.done", response=self._view(ending, status_details=details, output=[item], usage=self.usage())
            ),
        ]

    def usage(self) -> dict[str, Any]:
        """What the response cost so far, in tokens."""
        prompt, said = self._order.prompt, len(self._said)
        cached = Tokens(text=min(self._order.cached, prompt.text))
        cached += Tokens(audio=min(self._order.cached - cached.text, prompt.audio))
        output = said + self._audio_tokens
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
            "output_token_details": {"text_tokens": said, "audio_tokens": self._audio_tokens},
        }

    def _item(self) -> dict[str, Any]:
        return {**self.entry.item, "content": [dict(part) for part in self.entry.item["content"]]}

    def _view(self, status: str, **more: Any) -> dict[str, Any]:
        shown = {"object": "realtime.response", "id": self.id, "status": status, "output": [], **self._order.shown}
        if self._conversation:
            shown["conversation_id"] = self._conversation.id
        return shown | {name: value for name, value in more.items() if value is not None}

    def _event(self, kind: str, **fields: Any) -> Event:
        return event(kind, response_id=self.id, output_index=0, **fields)

    def _content_event(self, kind: str, **fields: Any) -> Event:
        return self._event(kind, item_id=self.entry.id, content_index=0, **fields)

    def _if_in_conversation(self, kind: str, item: dict[str, Any]) -> list[Event]:
        return [event(kind, previous_item_id=self._previous, item=item)] if self._conversation else []
