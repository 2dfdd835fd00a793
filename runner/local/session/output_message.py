"""The message of a response: text, or audio with its transcript."""

from typing import Any

import pybase64

from runner.audio.format import AudioFormat
from runner.local.session.output_item import OutputItem
from runner.local.session.server_event import ServerEvent


class OutputMessage(OutputItem):
    """A message of the assistant that grows piece by piece.

    Args:
        audio_format: The format of its audio, or None for text.
        place: Where it stands, as `OutputItem` takes it.

    Attributes:
        audio_bytes: How much audio it has, in bytes.
    """

    def __init__(self, audio_format: AudioFormat | None, **place: Any) -> None:
        super().__init__({"type": "message", "role": "assistant", "content": []}, **place)
        self.audio_bytes = 0
        self._audio_format = audio_format
        self._texts: list[str] = []
        self._text_name = "output_audio_transcript" if audio_format else "output_text"

    def announce(self) -> list[ServerEvent]:
        """The message begins; returns the events up to its first piece."""
        part = {"type": "audio", "transcript": ""} if self._audio_format else {"type": "text", "text": ""}
        return [*super().announce(), self._content_event("response.content_part.added", part=part)]

    def add(self, text: str, audio: bytes) -> list[ServerEvent]:
        """Add a piece of text and its audio, in the format of the response."""
        events = []
        if text:
            self._texts.append(text)
            events.append(self._content_event(f"response.{self._text_name}.delta", delta=text))
        if audio and self._audio_format:
            self.audio_bytes += len(audio)
            if not self.stored.is_truncated:
                self.stored.audio_ms = int(self._audio_format.ms(self.audio_bytes))
            delta = pybase64.b64encode_as_string(audio)
            events.append(self._content_event("response.output_audio.delta", delta=delta))
        return events

    def show_text(self) -> None:
        """Put the text so far into the item; `add` does not, since joining a long text each time is slow."""
        text = "".join(self._texts)
        if self._audio_format is None:
            part = {"type": "output_text", "text": text}
        elif self.stored.is_truncated:
            part = {"type": "output_audio"}
        else:
            part = {"type": "output_audio", "transcript": text}
        self.stored.item["content"] = [part]

    def end(self, *, is_whole: bool) -> list[ServerEvent]:
        """The message is over, complete or not; returns its last events."""
        self.show_text()
        text = "".join(self._texts)
        if self._audio_format:
            part = {"type": "audio", "transcript": text}
            closing = [
                self._content_event("response.output_audio.done"),
                self._content_event("response.output_audio_transcript.done", transcript=text),
            ]
        else:
            part = {"type": "text", "text": text}
            closing = [self._content_event("response.output_text.done", text=text)]
        return [
            *closing,
            self._content_event("response.content_part.done", part=part),
            *super().end(is_whole=is_whole),
        ]

    def _content_event(self, kind: str, **fields: Any) -> ServerEvent:
        return self.event(kind, item_id=self.id, content_index=0, **fields)
