"""The events that a client sends, as the API defines them.

`to_wire()` gives an event's exact JSON object: what was not set is absent, and `type` is always there.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from runner.api.api_object import ApiObject, Clearable
from runner.api.on_demand import on_demand
from runner.api.session_config import AnySession, MaxOutputTokens, Modalities, TranslationSession
from runner.api.session_types import MAX_APPEND_BYTES

if TYPE_CHECKING:
    from runner.api.audio_config import ResponseAudio
    from runner.api.items import ConversationItem, InputItem
    from runner.api.session_options import Prompt, Reasoning
    from runner.api.tools import Tool, ToolChoice
else:
    ResponseAudio = on_demand("runner.api.audio_config.ResponseAudio")
    ConversationItem = on_demand("runner.api.items.ConversationItem")
    InputItem = on_demand("runner.api.items.InputItem")
    Prompt = on_demand("runner.api.session_options.Prompt")
    Reasoning = on_demand("runner.api.session_options.Reasoning")
    Tool = on_demand("runner.api.tools.Tool")
    ToolChoice = on_demand("runner.api.tools.ToolChoice")

MAX_EVENT_ID_CHARACTERS: Final = 512

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ResponseCreateParams(ApiObject):
    """What one response does otherwise than the session."""

    output_modalities: Modalities | None = None
    """`["audio"]` or `["text"]`."""
    instructions: str | None = None
    """Instructions for this response only."""
    audio: ResponseAudio | None = None
    """How the response speaks."""
    tools: list[Tool] | None = None
    """Tools for this response only."""
    tool_choice: ToolChoice | None = None
    """How the model chooses among the tools."""
    parallel_tool_calls: bool | None = None
    """Whether several tools may be called at once."""
    reasoning: Reasoning | None = None
    """How reasoning models think."""
    max_output_tokens: MaxOutputTokens | None = None
    """The longest response in tokens: 1 to 4096, or `inf`."""
    conversation: str | None = None
    """`auto` adds the response to the conversation, `none` keeps it out of band."""
    metadata: Metadata | None = None
    """Up to 16 pairs that come back with the response."""
    prompt: Clearable[Prompt] = None
    """A stored prompt template."""
    input: list[InputItem] | None = None
    """What the model sees instead of the conversation; `[]` for nothing."""


class ClientEventBase(ApiObject):
    """What all client events have."""

    event_id: Annotated[str, Field(max_length=MAX_EVENT_ID_CHARACTERS)] | None = None
    """The client's own id, which an `error` event repeats."""

    def to_wire(self) -> dict[str, Any]:
        """The event's JSON object."""
        return self.model_dump(mode="json", exclude_unset=True)


class SessionUpdate(ClientEventBase):
    """Change the session's configuration; answered by `session.updated`."""

    type: Literal["session.update"] = "session.update"
    """The event's name."""
    session: AnySession
    """The fields to change; the others stay."""


class InputAudioBufferAppend(ClientEventBase):
    """Add audio to the input buffer; not answered."""

    type: Literal["input_audio_buffer.append"] = "input_audio_buffer.append"
    """The event's name."""
    audio: Annotated[str, Field(max_length=MAX_APPEND_BYTES)]
    """Base64 of audio in the session's input format."""


class InputAudioBufferCommit(ClientEventBase):
    """Make the input buffer a user message; needs at least 100 ms of audio."""

    type: Literal["input_audio_buffer.commit"] = "input_audio_buffer.commit"
    """The event's name."""


class InputAudioBufferClear(ClientEventBase):
    """Drop what is in the input buffer."""

    type: Literal["input_audio_buffer.clear"] = "input_audio_buffer.clear"
    """The event's name."""


class OutputAudioBufferClear(ClientEventBase):
    """Stop what is playing; WebRTC and SIP only."""

    type: Literal["output_audio_buffer.clear"] = "output_audio_buffer.clear"
    """The event's name."""


class ConversationItemCreate(ClientEventBase):
    """Add an item; answered by `conversation.item.added` and `conversation.item.done`."""

    type: Literal["conversation.item.create"] = "conversation.item.create"
    """The event's name."""
    previous_item_id: str | None = None
    """The item to insert after; `root` for the beginning, nothing for the end."""
    item: ConversationItem
    """The item."""


class ConversationItemRetrieve(ClientEventBase):
    """Ask for an item as the server has it."""

    type: Literal["conversation.item.retrieve"] = "conversation.item.retrieve"
    """The event's name."""
    item_id: str
    """The item."""


class ConversationItemTruncate(ClientEventBase):
    """Cut an assistant's audio to what was heard."""

    type: Literal["conversation.item.truncate"] = "conversation.item.truncate"
    """The event's name."""
    item_id: str
    """The item."""
    content_index: Annotated[int, Field(ge=0)]
    """The piece of content; 0 in practice."""
    audio_end_ms: Annotated[int, Field(ge=0)]
    """What is kept, in milliseconds; not more than there is."""


class ConversationItemDelete(ClientEventBase):
    """Remove an item."""

    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    """The event's name."""
    item_id: str
    """The item."""


class ResponseCreate(ClientEventBase):
    """Have the model answer."""

    type: Literal["response.create"] = "response.create"
    """The event's name."""
    response: ResponseCreateParams | None = None
    """What this response does otherwise than the session."""


class ResponseCancel(ClientEventBase):
    """Stop a response."""

    type: Literal["response.cancel"] = "response.cancel"
    """The event's name."""
    response_id: str | None = None
    """The response; by default the one in the conversation."""


class TranslationUpdate(ClientEventBase):
    """Change a translation's configuration; answered by `session.updated`."""

    type: Literal["session.update"] = "session.update"
    """The event's name."""
    session: TranslationSession
    """The fields to change; the others stay."""

    def to_wire(self) -> dict[str, Any]:
        """The event's JSON object; the address says what the session is, and the API knows no `type` here."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"session": {"type"}})


class SessionInputAudioBufferAppend(ClientEventBase):
    """Add audio to what a translation hears; not answered."""

    type: Literal["session.input_audio_buffer.append"] = "session.input_audio_buffer.append"
    """The event's name."""
    audio: Annotated[str, Field(max_length=MAX_APPEND_BYTES)]
    """Base64 of PCM of 24 kHz."""


class SessionClose(ClientEventBase):
    """End a translation; answered by its last words and `session.closed`."""

    type: Literal["session.close"] = "session.close"
    """The event's name."""


CLIENT_EVENT_TYPES: Final[dict[str, type[ClientEventBase]]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.append": InputAudioBufferAppend,
    "input_audio_buffer.commit": InputAudioBufferCommit,
    "input_audio_buffer.clear": InputAudioBufferClear,
    "output_audio_buffer.clear": OutputAudioBufferClear,
    "conversation.item.create": ConversationItemCreate,
    "conversation.item.retrieve": ConversationItemRetrieve,
    "conversation.item.truncate": ConversationItemTruncate,
    "conversation.item.delete": ConversationItemDelete,
    "response.create": ResponseCreate,
    "response.cancel": ResponseCancel,
}
"""Every client event by its type, except those that only a translation has."""
