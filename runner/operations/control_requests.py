"""The requests that the control socket takes; docs/control.md has them all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from runner.api.strict import Section
from runner.operations.control_protocol import RequestRefused

Text = Annotated[str, Field(min_length=1)]


class ControlRequest(Section):
    """What every request may say."""

    id: JsonValue = None
    """Comes back with everything that answers the request."""
    profile: str | None = None
    """The session is one of this profile."""
    session: Annotated[int, Field(ge=1)] | None = None
    """The number of the session; not needed where there is only one."""


class PlainRequest(ControlRequest):
    """A request that says nothing but its name."""

    command: Literal[
        "status",
        "attach",
        "cancel",
        "commit",
        "clear",
        "input.start",
        "input.stop",
        "input.mute",
        "input.unmute",
        "output.start",
        "output.stop",
        "rollover",
        "reload",
        "close",
    ]


class SayRequest(ControlRequest):
    """Say something as the user."""

    command: Literal["say"]
    text: Text
    respond: bool = True
    """Whether to ask for a response."""


class EventRequest(ControlRequest):
    """Send a client event as it is."""

    command: Literal["event"]
    event: dict[str, Any]


class AddItemRequest(ControlRequest):
    """Add an item to the conversation."""

    command: Literal["item.add"]
    item: dict[str, Any]
    previous_item_id: str | None = None
    """The item to insert after; `root` for the beginning, nothing for the end."""
    respond: bool = False
    """Whether to ask for a response then."""


class RemoveItemRequest(ControlRequest):
    """Remove an item from the conversation."""

    command: Literal["item.remove"]
    item_id: Text


class TruncateItemRequest(ControlRequest):
    """Cut an answer's audio to what was heard of it."""

    command: Literal["item.truncate"]
    item_id: Text
    audio_end_ms: Annotated[int, Field(ge=0)]
    content_index: Annotated[int, Field(ge=0)] = 0


class UpdateRequest(ControlRequest):
    """Change the configuration of the session."""

    command: Literal["update"]
    changes: dict[str, Any]
    """The fields of the API's session object to change."""


class RespondRequest(ControlRequest):
    """Ask for a response."""

    command: Literal["respond"]
    response: dict[str, Any] = Field(default_factory=dict)
    """The API's `response` object."""


class ApprovalAnswerRequest(ControlRequest):
    """Approve of a call, or deny it."""

    command: Literal["approve", "deny"]
    call_id: Text
    reason: str = ""
    """Why not, for the model."""


class EventsRequest(ControlRequest):
    """Follow the server's events until the session ends."""

    command: Literal["events"]
    filter: list[Text] = Field(default_factory=list)
    """Patterns of their types, such as `response.*`; all events without any."""


AnyRequest = Annotated[
    PlainRequest
    | SayRequest
    | EventRequest
    | AddItemRequest
    | RemoveItemRequest
    | TruncateItemRequest
    | UpdateRequest
    | RespondRequest
    | ApprovalAnswerRequest
    | EventsRequest,
    Field(discriminator="command"),
]

_REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
_MOST_PROBLEMS = 3
_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "union_tag_invalid": "there is no such command",
    "union_tag_not_found": "a request has a `command`",
    "model_attributes_type": "a request is a JSON object",
}


def read_request(line: bytes) -> AnyRequest:
    """The request that a line is.

    Raises:
        RequestRefused: It is none.
    """
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as error:
        raise RequestRefused("bad-request", problems_of(error, skipped=1)) from None


def request_id(line: bytes) -> Any:
    """The id of what is no request, None where it has none."""
    try:
        message = from_json(line)
    except ValueError:
        return None
    return message.get("id") if isinstance(message, dict) else None


def problems_of(error: ValidationError, *, skipped: int = 0) -> str:
    """What is wrong with an object, in one line.

    Args:
        error: What pydantic says of it.
        skipped: How many words at the beginning of each place name no key.
    """
    found = error.errors(include_input=False, include_url=False)
    texts = [
        (".".join(map(str, each["loc"][skipped:])), _WORDS.get(each["type"], each["msg"]))
        for each in found[:_MOST_PROBLEMS]
    ]
    return "; ".join(f"{where}: {text}" if where else text for where, text in texts)
