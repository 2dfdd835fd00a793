"""The events that a client sends to a Live session, as the API defines them."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject
from runner.api.client_events import ClientEventBase
from runner.api.live_decisions import DecisionItem
from runner.api.live_session import ForkChange, LiveChange, LiveSession
from runner.api.session_types import MAX_APPEND_BYTES

MAX_FIXTURE_MS: Final = 30_000
"""The longest recording that a session plays, in milliseconds."""


class LiveStart(ClientEventBase):
    """Start the session; answered by `session.started`."""

    type: Literal["session.start"] = "session.start"
    """The event's name."""
    session: LiveSession
    """The session's settings."""


class ForkStart(ClientEventBase):
    """Start the fork of a stored session; answered by `session.started`."""

    type: Literal["session.start"] = "session.start"
    """The event's name."""
    session: ForkChange
    """What the fork does otherwise; an empty object for nothing."""


class LiveUpdate(ClientEventBase):
    """Change what can be changed about a running session; answered by `session.updated`."""

    type: Literal["session.update"] = "session.update"
    """The event's name."""
    session: LiveChange
    """The fields to change; the others stay."""


class LiveAudioAppend(ClientEventBase):
    """Add audio to the stream that the model hears; not answered."""

    type: Literal["session.input_audio.append"] = "session.input_audio.append"
    """The event's name."""
    audio: Annotated[str, Field(max_length=MAX_APPEND_BYTES)]
    """Base64 of audio in the session's format."""


class LiveMute(ClientEventBase):
    """Have the model hear silence; answered by `session.input_audio.muted`."""

    type: Literal["session.input_audio.mute"] = "session.input_audio.mute"
    """The event's name."""


class LiveUnmute(ClientEventBase):
    """Have the model hear the client again; answered by `session.input_audio.unmuted`."""

    type: Literal["session.input_audio.unmute"] = "session.input_audio.unmute"
    """The event's name."""


class FixturePlay(ClientEventBase):
    """Play a recording to the user, word for word; answered when it begins and when it has ended."""

    type: Literal["session.output_audio.fixture.play"] = "session.output_audio.fixture.play"
    """The event's name."""
    audio: Annotated[str, Field(max_length=MAX_APPEND_BYTES)]
    """Base64 of 16-bit samples at 24 kHz, at most 30 seconds, whatever the session's format."""


class ContextAppend(ClientEventBase):
    """What the events have that add text to a session."""

    content: Annotated[str, Field(min_length=1)]
    """The text; at most 500 tokens."""
    delegation_id: str | None
    """The delegation to the client that it belongs to, or null."""


class CommentaryAppend(ContextAppend):
    """Give the model something to say; answered by `session.commentary.appended`."""

    type: Literal["session.commentary.append"] = "session.commentary.append"
    """The event's name."""


class InstructionsAppend(ContextAppend):
    """Give the model a developer's instruction; answered by `session.instructions.appended`."""

    type: Literal["session.instructions.append"] = "session.instructions.append"
    """The event's name."""


class ThinkingAppend(ContextAppend):
    """Give the model silent context; answered by `session.thinking.appended`."""

    type: Literal["session.thinking.append"] = "session.thinking.append"
    """The event's name."""


class BackendOutput(ApiObject):
    """What a function has answered that the Responses model called."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: Annotated[str, Field(min_length=1)]
    """The call."""
    output: str | list[dict[str, Any]]
    """The answer: a text, or parts as the Responses API has them."""
    id: str | None = None
    """The item's id."""
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    """Whether the answer is whole."""


class BackendMessage(ApiObject):
    """A message to the Responses model."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    """Who has said it."""
    content: str | list[dict[str, Any]]
    """A text, or parts as the Responses API has them."""
    id: str | None = None
    """The item's id."""
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    """Whether it is whole."""


def _item_tag(value: Any) -> str | None:
    kind = value.get("type", "message") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


BackendItem = Annotated[
    Annotated[BackendOutput, Tag("function_call_output")] | Annotated[BackendMessage, Tag("message")],
    Discriminator(_item_tag),
]


class BackendItemCreate(ClientEventBase):
    """Give the Responses model an item, such as what a function has answered; not answered."""

    type: Literal["response.item.create"] = "response.item.create"
    """The event's name."""
    item: BackendItem
    """The item."""


class BackendResponseCreate(ClientEventBase):
    """Have the Responses model go on, once all its calls are answered."""

    type: Literal["response.create"] = "response.create"
    """The event's name."""


class LiveClose(ClientEventBase):
    """End the session; answered by `session.closed`."""

    type: Literal["session.close"] = "session.close"
    """The event's name."""


class DecisionItemCreate(ClientEventBase):
    """Give the Decisions model an item; answered by `decision.item.created`."""

    type: Literal["decision.item.create"] = "decision.item.create"
    """The event's name."""
    item: DecisionItem
    """The item."""


class DecisionItemDelete(ClientEventBase):
    """Take an item from the Decisions model; answered by `decision.item.deleted`."""

    type: Literal["decision.item.delete"] = "decision.item.delete"
    """The event's name."""
    item_id: str
    """The item's id."""


class DecisionCreate(ClientEventBase):
    """Have the Decisions model decide; answered by a `decision.event`."""

    type: Literal["decision.create"] = "decision.create"
    """The event's name."""
    event_id: Annotated[str, Field(min_length=1)]
    """The client's own id, which the answer repeats."""


LIVE_CLIENT_EVENT_TYPES: Final[dict[str, type[ClientEventBase]]] = {
    each.model_fields["type"].default: each
    for each in (
        LiveStart,
        LiveUpdate,
        LiveAudioAppend,
        LiveMute,
        LiveUnmute,
        FixturePlay,
        InstructionsAppend,
        ThinkingAppend,
        CommentaryAppend,
        DecisionCreate,
        DecisionItemCreate,
        DecisionItemDelete,
        BackendItemCreate,
        BackendResponseCreate,
        LiveClose,
    )
}
"""The class of each client event of a Live session, by its `type`."""
