"""What goes wrong at the local endpoint on purpose, so that profiles can be tried against it.

Each fault counts the connections that it befalls once it happens, so that several of them take turns: where one ends
a connection, the others wait for the next.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from runner.api.strict import Section

DEFAULT_AFTER_EVENTS = 2
"""After `session.created` and `session.updated`; in a Live session after `session.started` and one more."""

_NEVER_SENT = frozenset({1004, 1005, 1006, 1015})

Text = Annotated[str, Field(max_length=4096)]
Delay = Annotated[float, Field(gt=0, le=86400)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


def _sendable(code: int) -> int:
    if code in _NEVER_SENT:
        msg = f"no close frame may carry {code}; a connection without one is a fault of kind drop"
        raise ValueError(msg)
    return code


class ConnectionFault(Section):
    """Which connections a fault befalls."""

    times: Count = 1
    """How many connections it befalls before it is over; 0 is every one."""
    first: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """The first connection that it may befall, counted from 1."""
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How likely it is for each of them."""


class SessionFault(ConnectionFault):
    """A fault in the middle of a session, and its moment."""

    after_events: Count | None = None
    """It happens once so many server events were sent; 2, unless there is `after_s`."""
    after_s: Delay | None = None
    """It happens so long after the handshake, in seconds."""

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        if self.after_events is not None and self.after_s is not None:
            msg = "after_events and after_s exclude each other"
            raise ValueError(msg)
        return self

    @property
    def moment_events(self) -> int | None:
        """The events before it, or None where the time decides."""
        if self.after_events is None and self.after_s is None:
            return DEFAULT_AFTER_EVENTS
        return self.after_events


class RefuseFault(ConnectionFault):
    """The handshake is answered by an HTTP error."""

    kind: Literal["refuse"]
    status: Annotated[int, Field(ge=400, le=599)] = 503
    """The HTTP status."""
    code: Text | None = None
    """The code in the body, such as `insufficient_quota`."""
    message: Text = "The handshake is refused on purpose."
    """The sentence in the body."""
    retry_after_s: Annotated[int, Field(ge=0, le=86400)] | None = None
    """Sent as `Retry-After`, in seconds."""


class DelayedFault(ConnectionFault):
    """The handshake is answered late."""

    kind: Literal["delay"]
    delay_s: Delay
    """How late, in seconds."""


class SilentFault(ConnectionFault):
    """The handshake is accepted, and no event ever comes; pings are answered."""

    kind: Literal["silent"]


class SlowFault(ConnectionFault):
    """Everything after the handshake is dribbled."""

    kind: Literal["slow"]
    bytes_per_s: Annotated[int, Field(ge=1, le=1 << 30)] = 1000
    """How much of it, in bytes a second."""


class ExpireFault(ConnectionFault):
    """The session ends early, at its `expires_at`: error `session_expired`, close 1001."""

    kind: Literal["expire"]
    after_s: Delay = 5.0
    """How long after the handshake, in seconds."""


class DriftFault(ConnectionFault):
    """Every `session.updated`, or `session.started`, says something else than was asked for."""

    kind: Literal["drift"]
    settings: Annotated[dict[str, JsonValue], Field(min_length=1)]
    """Merged into the session that is shown, such as `{ audio.output.voice = "other" }`."""


class RefuseUpdateFault(ConnectionFault):
    """Every `session.update`, or `session.start`, is answered by an error."""

    kind: Literal["refuse-update"]
    code: Text = "invalid_value"
    """The error's code."""
    message: Text = "The session's update is refused on purpose."
    """The error's sentence."""
    param: Text | None = None
    """The field that is blamed, such as `session.audio.output.voice`."""


class ResponseFailedFault(ConnectionFault):
    """Responses end as failed before they say anything; of a Live session, those of the model to which it delegates."""

    kind: Literal["response-failed"]
    responses: Count = 1
    """How many of the connection's responses fail; 0 is every one."""
    type: Text = "server_error"
    """The error's type."""
    code: Text = "server_error"
    """The error's code, such as `rate_limit_exceeded`."""
    message: Text = "The response failed on purpose."
    """The error's sentence."""


class DropFault(SessionFault):
    """The network connection is cut without a close frame."""

    kind: Literal["drop"]


class CloseFault(SessionFault):
    """The WebSocket is closed."""

    kind: Literal["close"]
    code: Annotated[int, Field(ge=1000, le=4999), AfterValidator(_sendable)] = 1011
    """The close code."""
    reason: Annotated[str, Field(max_length=123)] = ""
    """The reason in the close frame; 123 bytes of it fit."""


class EndFault(SessionFault):
    """The endpoint ends a Live session in order, though nobody has asked for it; other sessions it closes."""

    kind: Literal["end"]
    reason: Literal["expired", "content", "remote_hangup", "connection_lost"] = "content"
    """The reason in `session.closed`."""


class StallFault(SessionFault):
    """No event is sent any more; pings are answered and what the client sends is read."""

    kind: Literal["stall"]


class NoPongFault(SessionFault):
    """Nothing is sent any more, not even pongs: a dead peer with an open socket."""

    kind: Literal["no-pong"]


class DeafFault(SessionFault):
    """Nothing is read any more, so that the client's writes stall; events may still come."""

    kind: Literal["deaf"]


class UnknownEventFault(SessionFault):
    """An event of a type that no protocol has."""

    kind: Literal["unknown-event"]


class OversizedFault(SessionFault):
    """One event of an unknown type, as large as this."""

    kind: Literal["oversized"]
    size_bytes: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)] = 32 * 1024 * 1024
    """The size of the message, in bytes; the default is twice what clients take by default."""


class MalformedFault(SessionFault):
    """A text message that is not JSON."""

    kind: Literal["malformed"]


class NotUtf8Fault(SessionFault):
    """A text message that is not UTF-8."""

    kind: Literal["not-utf8"]


class BinaryFault(SessionFault):
    """A binary message, which the protocol does not have."""

    kind: Literal["binary"]


class GarbageFault(SessionFault):
    """Bytes that are no WebSocket frame."""

    kind: Literal["garbage"]


class ErrorEventFault(SessionFault):
    """An `error` event that no client event has caused."""

    kind: Literal["error"]
    type: Text = "server_error"
    """The error's type."""
    code: Text | None = None
    """The error's code."""
    message: Text = "The server had an error on purpose."
    """The error's sentence."""


class RateLimitedFault(SessionFault):
    """A `rate_limits.updated` that leaves nothing."""

    kind: Literal["rate-limits"]
    reset_seconds: Annotated[float, Field(ge=0, le=86400)] = 1.0
    """When there is something again, in seconds."""


class DuplicateFault(SessionFault):
    """The latest event is sent a second time, with the same id."""

    kind: Literal["duplicate"]
    after_events: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """It happens once so many server events were sent; 2, unless there is `after_s`."""


AnySessionFault = (
    DropFault
    | CloseFault
    | EndFault
    | StallFault
    | NoPongFault
    | DeafFault
    | UnknownEventFault
    | OversizedFault
    | MalformedFault
    | NotUtf8Fault
    | BinaryFault
    | GarbageFault
    | ErrorEventFault
    | RateLimitedFault
    | DuplicateFault
)
AnyFault = (
    RefuseFault
    | DelayedFault
    | SilentFault
    | SlowFault
    | ExpireFault
    | DriftFault
    | RefuseUpdateFault
    | ResponseFailedFault
    | AnySessionFault
)
Fault = Annotated[AnyFault, Field(discriminator="kind")]
