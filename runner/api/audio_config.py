"""How a session hears and speaks: the `audio` object of the API."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.api_object import ApiObject, Clearable

TranscriptionModel = str
"""Known: gpt-transcribe, gpt-live-transcribe, gpt-realtime-whisper, and until 2027-02-26 gpt-4o-transcribe,
gpt-4o-mini-transcribe, gpt-4o-transcribe-diarize and whisper-1; on Azure the name of a deployment."""
VoiceName = Annotated[str, Field(min_length=1)]
"""Known: alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse."""


class PcmFormat(ApiObject):
    """16-bit little-endian mono samples."""

    type: Literal["audio/pcm"] = "audio/pcm"
    """The encoding."""
    rate: Literal[24000] | None = None
    """Samples a second; only 24000 exists."""


class PcmuFormat(ApiObject):
    """G.711 µ-law at 8 kHz, as telephony uses it."""

    type: Literal["audio/pcmu"] = "audio/pcmu"
    """The encoding."""


class PcmaFormat(ApiObject):
    """G.711 A-law at 8 kHz, as telephony uses it."""

    type: Literal["audio/pcma"] = "audio/pcma"
    """The encoding."""


RealtimeAudioFormat = Annotated[PcmFormat | PcmuFormat | PcmaFormat, Field(discriminator="type")]


class Transcription(ApiObject):
    """Written text of what the user says, made beside the conversation."""

    model: TranscriptionModel | None = None
    """The transcription model, such as `gpt-transcribe`."""
    language: str | None = None
    """The spoken language as ISO 639-1, such as `en`; helps accuracy and latency."""
    languages: Annotated[list[str], Field(min_length=1)] | None = None
    """Languages that may be spoken, for models that take several."""
    keywords: list[str] | None = None
    """Words to expect, for models that take them."""
    prompt: str | None = None
    """Text that guides style and vocabulary."""
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    """How long a streaming model may wait: longer is more accurate."""


class NoiseReduction(ApiObject):
    """A filter in front of turn detection and the model."""

    type: Literal["near_field", "far_field"] | None = None
    """`near_field` for headsets, `far_field` for laptops and rooms."""
    strength: Annotated[float, Field(ge=0)] | None = None
    """How much is suppressed; the server starts with 1."""


class ServerVad(ApiObject):
    """Turns end by silence."""

    type: Literal["server_vad"] = "server_vad"
    """The kind of turn detection."""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """How loud counts as speech, 0 to 1; the server's default is 0.5."""
    prefix_padding_ms: Annotated[int, Field(ge=0)] | None = None
    """Audio kept from before speech began, in milliseconds; the server's default is 300."""
    silence_duration_ms: Annotated[int, Field(ge=0)] | None = None
    """Silence that ends a turn, in milliseconds; the server's default is 500."""
    create_response: bool | None = None
    """Whether the end of a turn starts a response."""
    interrupt_response: bool | None = None
    """Whether speech stops a running response."""
    idle_timeout_ms: Clearable[Annotated[int, Field(ge=5000, le=30000)]] = None
    """Silence after which the model speaks up by itself, in milliseconds."""


class SemanticVad(ApiObject):
    """Turns end when the sentence does: a model judges."""

    type: Literal["semantic_vad"] = "semantic_vad"
    """The kind of turn detection."""
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    """How soon the model answers; `auto` is `medium`."""
    create_response: bool | None = None
    """Whether the end of a turn starts a response."""
    interrupt_response: bool | None = None
    """Whether speech stops a running response."""


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class SessionAudioInput(ApiObject):
    """How the session hears."""

    format: RealtimeAudioFormat | None = None
    """The encoding of the audio that the client sends."""
    transcription: Clearable[Transcription] = None
    """Transcribe what the user says; `"none"` turns it off."""
    noise_reduction: Clearable[NoiseReduction] = None
    """Filter noise; `"none"` turns it off."""
    turn_detection: Clearable[TurnDetection] = None
    """Who decides that a turn is over; `"none"` leaves it to the client."""


class CustomVoice(ApiObject):
    """A voice made for the account."""

    id: Annotated[str, Field(min_length=1)]
    """The voice's id, such as `voice_1234`."""


Voice = VoiceName | CustomVoice


class ResponseAudioOutput(ApiObject):
    """How one response speaks."""

    format: RealtimeAudioFormat | None = None
    """The encoding of the audio that the server sends."""
    voice: Voice | None = None
    """A voice by name (marin and cedar are the best) or `{ id = "voice_…" }`; fixed after the first audio."""


class SessionAudioOutput(ResponseAudioOutput):
    """How the session speaks."""

    speed: Annotated[float, Field(ge=0.25, le=1.5)] | None = None
    """The pace of speech, 0.25 to 1.5; changes between turns only."""


class SessionAudio(ApiObject):
    """Both directions of a conversation."""

    input: SessionAudioInput | None = None
    """How the session hears."""
    output: SessionAudioOutput | None = None
    """How the session speaks."""


class TranscriptionAudio(ApiObject):
    """The only direction of a transcription."""

    input: SessionAudioInput | None = None
    """How the session hears."""


class TranslationTranscription(ApiObject):
    """Written text of what the speaker says, beside the translation."""

    model: TranscriptionModel
    """The transcription model, such as `gpt-realtime-whisper`."""


class TranslationNoiseReduction(ApiObject):
    """A filter in front of the translation."""

    type: Literal["near_field", "far_field"]
    """`near_field` for headsets, `far_field` for laptops and rooms."""
    strength: Annotated[float, Field(ge=0)] | None = None
    """How much is suppressed; the server starts with 1."""


class TranslationInput(ApiObject):
    """How a translation hears."""

    transcription: Clearable[TranslationTranscription] = None
    """Write down what the speaker says; `"none"` turns it off."""
    noise_reduction: Clearable[TranslationNoiseReduction] = None
    """Filter noise; `"none"` turns it off."""


class TranslationOutput(ApiObject):
    """How a translation speaks."""

    language: str | None = None
    """The language to translate to, as ISO 639-1, such as `es`."""


class TranslationAudio(ApiObject):
    """Both directions of a translation."""

    input: TranslationInput | None = None
    """How it hears."""
    output: TranslationOutput | None = None
    """How it speaks."""


class ResponseAudio(ApiObject):
    """The direction that a response has."""

    output: ResponseAudioOutput | None = None
    """How the response speaks."""
