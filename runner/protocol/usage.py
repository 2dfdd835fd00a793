"""What a session has used, added up from every `response.done` and every finished transcription."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from runner.protocol.json_fields import JsonObject
from runner.protocol.side_fields import SideFields

if TYPE_CHECKING:
    from runner.settings.prices import Prices


@dataclass(slots=True)
class Usage:
    """Tokens by direction and modality, as the API reports them; tokens without a modality count as text."""

    responses: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """A part of the input tokens, as is each modality's."""
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    cached_image_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    transcription_input_tokens: int = 0
    transcription_audio_tokens: int = 0
    """The audio among `transcription_input_tokens`."""
    transcription_output_tokens: int = 0
    transcription_s: float = 0.0
    """Audio transcribed, in seconds, where the endpoint counts those instead of tokens."""
    live_s: float = 0.0
    """How long Live sessions have lasted, in seconds: they are billed by the time."""

    @property
    def audio_tokens(self) -> int:
        """Tokens of audio, in both directions, transcriptions included."""
        return self.input_audio_tokens + self.output_audio_tokens + self.transcription_audio_tokens

    def add(self, usage: JsonObject, side: SideFields) -> None:
        """Add the `usage` object of one response."""
        incoming = side.table(usage, "input_token_details")
        input_tokens, output_tokens = side.count(usage, "input_tokens"), side.count(usage, "output_tokens")
        cached_tokens = side.count(incoming, "cached_tokens")
        read = _modalities(side, incoming, total=input_tokens)
        written = _modalities(side, side.table(usage, "output_token_details"), total=output_tokens)
        details = side.table(incoming, "cached_tokens_details")
        cached = _modalities(side, details, total=0) if details else _shared_out(cached_tokens, read)
        self._add(
            Usage(
                input_tokens=input_tokens or sum(read),
                output_tokens=output_tokens or sum(written),
                cached_tokens=cached_tokens or sum(cached),
                input_text_tokens=read[0],
                input_audio_tokens=read[1],
                input_image_tokens=read[2],
                cached_text_tokens=cached[0],
                cached_audio_tokens=cached[1],
                cached_image_tokens=cached[2],
                output_text_tokens=written[0],
                output_audio_tokens=written[1],
            )
        )

    def add_transcription(self, usage: JsonObject, side: SideFields) -> None:
        """Add the `usage` object of one transcription, in tokens or in seconds."""
        details = side.table(usage, "input_token_details")
        read = side.count(usage, "input_tokens")
        self.transcription_input_tokens += read
        self.transcription_audio_tokens += side.count(details, "audio_tokens") if details else read
        self.transcription_output_tokens += side.count(usage, "output_tokens")
        self.transcription_s += side.number(usage, "seconds")

    def __add__(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in _AMOUNTS})

    def since(self, earlier: "Usage") -> "Usage":
        """What was used since then."""
        return Usage(**{name: getattr(self, name) - getattr(earlier, name) for name in _AMOUNTS})

    def cost(self, prices: "Prices") -> float:
        """What all of it costs, in the currency of the prices."""
        tokens = (
            max(0, self.input_text_tokens - self.cached_text_tokens) * prices.input_text
            + max(0, self.input_audio_tokens - self.cached_audio_tokens) * prices.input_audio
            + max(0, self.input_image_tokens - self.cached_image_tokens) * prices.input_image
            + self.cached_text_tokens * prices.cached_text
            + self.cached_audio_tokens * prices.cached_audio
            + self.cached_image_tokens * prices.cached_image
            + self.output_text_tokens * prices.output_text
            + self.output_audio_tokens * prices.output_audio
            + self.transcription_input_tokens * prices.transcription_input
            + self.transcription_output_tokens * prices.transcription_output
        )
        minutes = self.transcription_s * prices.transcription_minute + self.live_s * prices.live_minute
        return tokens / 1_000_000 + minutes / 60

    def as_log(self) -> dict[str, int | float]:
        """What was used at all, by the names of the attributes; seconds to the millisecond."""
        return {name: round(amount, 3) for name in _AMOUNTS if (amount := getattr(self, name))}

    def _add(self, other: "Usage") -> None:
        for name in _AMOUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_AMOUNTS = tuple(each.name for each in fields(Usage))

_Modalities = tuple[int, int, int]
"""Tokens of text, audio and images."""


def _modalities(side: SideFields, details: JsonObject, *, total: int) -> _Modalities:
    found = side.count(details, "text_tokens"), side.count(details, "audio_tokens"), side.count(details, "image_tokens")
    return found if any(found) else (total, 0, 0)


def _shared_out(cached: int, read: _Modalities) -> _Modalities:
    """Cached tokens of unknown modality: text as far as there is any, then audio, then images."""
    text = min(cached, read[0])
    audio = min(cached - text, read[1])
    return text, audio, min(cached - text - audio, read[2])
