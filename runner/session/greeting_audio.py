"""A greeting that is a recording: rt-run has it heard, and tells the conversation what it says."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.errors import InputError, reason_of
from runner.protocol.effects import AudioDelta, Effect

if TYPE_CHECKING:
    from pathlib import Path

    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState

FIXTURE_RATE = 24_000
"""Samples a second of what a Live session plays."""
LONGEST_S = 120
"""The longest greeting, in seconds."""
_PIECE_MS = 200


class GreetingAudio:
    """The recording of a greeting.

    Args:
        text: What it says.
        pcm: Its 16-bit samples.
        rate: Samples a second.

    Attributes:
        item_id: The item of the conversation that says it.
    """

    def __init__(self, text: str, pcm: bytes, rate: int) -> None:
        self._text = text
        self._pcm = pcm
        self._rate = rate
        self.item_id = f"item_{token_hex(10)}"

    def item_created(self) -> JsonObject:
        """The client event that tells the conversation what is said."""
        content = [{"type": "output_text", "text": self._text}]
        item = {"id": self.item_id, "type": "message", "role": "assistant", "content": content}
        return {"type": "conversation.item.create", "item": item}

    def fixture(self) -> JsonObject:
        """The client event by which a Live session plays it, which the API takes at 24 kHz."""
        import pybase64

        from runner.audio.resampling import Resampler

        pcm = Resampler(self._rate, FIXTURE_RATE).convert(self._pcm, last=True)
        return {"type": "session.output_audio.fixture.play", "audio": pybase64.b64encode(pcm).decode()}

    def said(self, state: SessionState) -> list[Effect]:
        """The end of the turn that says it, which no event of a Live session brings."""
        content = [{"type": "output_text", "text": self._text}]
        message = {"id": self.item_id, "type": "message", "role": "assistant", "content": content}
        return state.conversation.end_turn(state.conversation.put({**message, "status": "completed"}))

    def effects(self, state: SessionState) -> list[Effect]:
        """The sound as pieces of an answer, in the session's output format; the item knows how long it is."""
        import pybase64

        from runner.audio.resampling import Resampler

        form = state.configuration.output_format
        audio = form.encode(Resampler(self._rate, form.rate).convert(self._pcm, last=True))
        size_bytes = form.size_bytes(_PIECE_MS)
        pieces = [audio[start : start + size_bytes] for start in range(0, len(audio), size_bytes)]
        encoded = [pybase64.b64encode(piece).decode() for piece in pieces]
        if item := state.conversation.get(self.item_id):
            item.audio_characters = sum(map(len, encoded))
        return [AudioDelta("", self.item_id, piece) for piece in encoded]


async def read_greeting(path: Path, text: str) -> GreetingAudio:
    """Read the recording of a greeting.

    Raises:
        InputError: It cannot be read, or is no WAV of 16-bit samples that is short enough.
    """

    def read() -> GreetingAudio:
        from runner.audio.wav_reader import open_wav

        name = f"the greeting {path}"
        try:
            reader = open_wav(path, name)
            if reader is None:
                raise InputError(
                    f"{name} is no WAV of 16-bit samples", hint="ffmpeg -i greeting.mp3 -c:a pcm_s16le greeting.wav"
                )
            try:
                if not 0 < reader.samples <= LONGEST_S * reader.rate:
                    raise InputError(f"{name} must last up to {LONGEST_S} s")
                return GreetingAudio(text, reader.read(reader.samples), reader.rate)
            finally:
                reader.close()
        except OSError as error:
            msg = f"{name} cannot be read: {reason_of(error).lower()}"
            raise InputError(msg) from None

    return await anyio.to_thread.run_sync(read, abandon_on_cancel=True)
