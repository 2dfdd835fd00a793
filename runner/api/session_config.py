"""The API's session objects: field for field what `session.update` takes."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject, Clearable
from runner.api.on_demand import on_demand

if TYPE_CHECKING:
    from runner.api.audio_config import SessionAudio, TranscriptionAudio, TranslationAudio
    from runner.api.session_options import Prompt, Reasoning, Tracing, Truncation
    from runner.api.tools import Tool, ToolChoice
else:
    SessionAudio = on_demand("runner.api.audio_config.SessionAudio")
    TranscriptionAudio = on_demand("runner.api.audio_config.TranscriptionAudio")
    TranslationAudio = on_demand("runner.api.audio_config.TranslationAudio")
    Prompt = on_demand("runner.api.session_options.Prompt")
    Reasoning = on_demand("runner.api.session_options.Reasoning")
    Tracing = on_demand("runner.api.session_options.Tracing")
    Truncation = on_demand("runner.api.session_options.Truncation")
    Tool = on_demand("runner.api.tools.Tool")
    ToolChoice = on_demand("runner.api.tools.ToolChoice")

RealtimeModel = Annotated[str, Field(min_length=1)]
"""Known: gpt-realtime-2.1, gpt-realtime-2.1-mini, gpt-realtime-2, gpt-realtime-1.5, gpt-audio-1.5, gpt-audio-mini, and
until 2027-01-20 gpt-realtime and gpt-realtime-mini; on Azure the name of a deployment."""

Include = Literal["item.input_audio_transcription.logprobs"]
Modalities = Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=1)]


def _token_tag(value: Any) -> str:
    return "word" if isinstance(value, str) else "count"


MaxOutputTokens = Annotated[
    Annotated[int, Field(ge=1, le=4096), Tag("count")] | Annotated[Literal["inf"], Tag("word")],
    Discriminator(_token_tag),
]


class RealtimeSession(ApiObject):
    """A conversation with a model; whatever is left out keeps the server's default."""

    type: Literal["realtime"] = "realtime"
    """The kind of the session."""
    output_modalities: Modalities | None = None
    """`["audio"]` (with a transcript) or `["text"]`, never both; the server's default is audio."""
    model: RealtimeModel | None = None
    """The model; fixed once connected, so usually left to the connection."""
    instructions: str | None = None
    """What the model is told before the conversation; `""` clears the server's default."""
    audio: SessionAudio | None = None
    """How the session hears and speaks."""
    include: list[Include] | None = None
    """Extras in the server's events; `[]` for none."""
    tracing: Clearable[Tracing] = None
    """`"auto"`, a configuration, or `"none"`; fixed once it is on."""
    tools: list[Tool] | None = None
    """Functions and MCP servers; `[]` removes all."""
    tool_choice: ToolChoice | None = None
    """`none`, `auto`, `required`, or a certain tool."""
    parallel_tool_calls: bool | None = None
    """Whether several tools may be called at once; reasoning models only."""
    reasoning: Clearable[Reasoning] = None
    """How reasoning models think."""
    max_output_tokens: MaxOutputTokens | None = None
    """The longest response in tokens, tool calls included: 1 to 4096, or `"inf"`."""
    truncation: Truncation | None = None
    """What happens when the conversation outgrows the model: `auto`, `disabled`, or a retention ratio."""
    prompt: Clearable[Prompt] = None
    """A stored prompt template; `"none"` removes it."""


class TranscriptionSession(ApiObject):
    """A session that only writes down what it hears."""

    type: Literal["transcription"] = "transcription"
    """The kind of the session."""
    audio: TranscriptionAudio | None = None
    """How the session hears."""
    include: list[Include] | None = None
    """Extras in the server's events; `[]` for none."""


class TranslationSession(ApiObject):
    """A session that interprets what it hears, as it hears it."""

    type: Literal["translation"] = "translation"
    """The kind of the session; never sent, since the address says it."""
    audio: TranslationAudio | None = None
    """How the session hears and speaks."""


def _session_tag(value: Any) -> Any:
    return value.get("type", "realtime") if isinstance(value, dict) else getattr(value, "type", None)


AnySession = Annotated[
    Annotated[RealtimeSession, Tag("realtime")] | Annotated[TranscriptionSession, Tag("transcription")],
    Discriminator(_session_tag),
]
"""Either kind of session; a table without a `type` is a conversation."""
