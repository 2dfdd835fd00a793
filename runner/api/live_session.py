"""The API's objects of a Live session: what `session.start` and `session.update` take."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject
from runner.api.live_decisions import Triggers
from runner.api.live_delegation import Delegation, DelegationChange, ResponsesDelegationChange

MAX_HISTORY_MESSAGES: Final = 128
"""The most messages of history that a session starts with."""

LiveModel = Annotated[str, Field(min_length=1)]
"""Known: gpt-live-1.1 and gpt-live-1; on Azure the name of a deployment."""
LiveVoiceName = Annotated[str, Field(min_length=1)]
"""Known: alloy, ash, ballad, beacon, bossa, cedar, cinder, coral, delta, echo, gleam, marin, meridian, quartz, ripple,
sage, shida, shimmer, stone, tempo, verse, vesper, willow."""


class LivePcmFormat(ApiObject):
    """16-bit little-endian mono samples."""

    type: Literal["audio/pcm"] = "audio/pcm"
    """The encoding."""
    rate: Literal[16000, 24000]
    """Samples a second."""


class LivePcmuFormat(ApiObject):
    """G.711 µ-law at 8 kHz, as telephony uses it."""

    type: Literal["audio/pcmu"] = "audio/pcmu"
    """The encoding."""
    rate: Literal[8000]
    """Samples a second."""


class LivePcmaFormat(ApiObject):
    """G.711 A-law at 8 kHz, as telephony uses it."""

    type: Literal["audio/pcma"] = "audio/pcma"
    """The encoding."""
    rate: Literal[8000]
    """Samples a second."""


LiveAudioFormat = Annotated[LivePcmFormat | LivePcmuFormat | LivePcmaFormat, Field(discriminator="type")]


class LiveCustomVoice(ApiObject):
    """A voice that was made for this account."""

    id: str
    """The voice's id."""


def _name_or_object(value: Any) -> str:
    return "name" if isinstance(value, str) else "object"


LiveVoice = Annotated[
    Annotated[LiveVoiceName, Tag("name")] | Annotated[LiveCustomVoice, Tag("object")], Discriminator(_name_or_object)
]


class LiveAudioOutput(ApiObject):
    """How the model speaks."""

    voice: LiveVoice | None = None
    """The voice, by its name or as `{ id }`; it cannot change."""


class LiveAudio(ApiObject):
    """How a Live session hears and speaks."""

    format: LiveAudioFormat | None = None
    """The format of the audio, the same in both directions; it cannot change."""
    output: LiveAudioOutput | None = None
    """How the model speaks."""


class LiveMessagePart(ApiObject):
    """The text of a message of history."""

    type: Literal["input_text", "output_text", "text"] | None = None
    """`input_text` for a developer and a user, `output_text` or `text` for the assistant."""
    text: str
    """The text."""


class LiveMessage(ApiObject):
    """A message of the history that a session starts with."""

    type: Literal["message"] = "message"
    role: Literal["developer", "user", "assistant"]
    """Who has said it."""
    content: Annotated[list[LiveMessagePart], Field(min_length=1, max_length=1)]
    """Its text, in one part."""
    id: str | None = None
    """The id of the message."""
    status: Literal["incomplete", "completed"] | None = None
    """Whether it was said to its end."""


class LiveSession(ApiObject):
    """The session object of `session.start`; only `delegation` and `triggers` can change later."""

    model: LiveModel | None = None
    """The Live model."""
    instructions: str | None = None
    """How the model talks, and when it delegates; at most 16,384 tokens."""
    audio: LiveAudio | None = None
    """How the session hears and speaks."""
    delegation: Delegation | None = None
    """Who does what the model delegates; without it the client does."""
    input: Annotated[list[LiveMessage], Field(max_length=MAX_HISTORY_MESSAGES)] | None = None
    """The conversation so far; about 8,192 tokens at most."""
    store: bool | None = None
    """Whether the session is kept, so that it goes on by a fork after a loss, and its recording can be fetched."""
    triggers: Triggers | None = None
    """What is decided as the transcript goes on."""
    safety_identifier: str | None = None
    """A stable, hashed id of the end user."""


class ForkAudio(ApiObject):
    """What a fork hears and speaks otherwise; its voice stays."""

    format: LiveAudioFormat | None = None
    """The format of the audio, the same in both directions."""


class ForkChange(ApiObject):
    """The session object of the `session.start` of a fork: what it does otherwise than the stored session."""

    audio: ForkAudio | None = None
    """How the fork hears and speaks."""
    delegation: ResponsesDelegationChange | None = None
    """What changes about the Responses model; only where the stored session has one."""
    store: bool | None = None
    """Whether the fork is kept too."""


class LiveChange(ApiObject):
    """The session object of `session.update`."""

    delegation: DelegationChange | None = None
    """Who does what the model delegates; its type stays."""
    triggers: Triggers | None = None
    """What is decided as the transcript goes on; an empty list for nothing."""
