"""How a session outlives its connections: reconnecting, history, and rolling over before expiry."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section

Sign = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)]
Seconds = Annotated[float, Field(ge=0, le=86400)]


class Reconnect(Section):
    """What happens when a connection ends that the client has not closed."""

    max_attempts: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """How often in a row it is tried again before the session fails, at its first connection too; 0 is never."""
    initial_delay_s: Annotated[float, Field(gt=0, le=3600)] = 0.5
    """The longest wait before the first attempt, in seconds, doubled with each; a random part of it is waited."""
    max_delay_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """The longest wait, in seconds, unless the endpoint asks for more (`Retry-After`)."""
    stable_s: Seconds = 60.0
    """A connection that has lived as long as this, in seconds, counts as a success: the next failure is a first one."""
    response_in_flight: Literal["retry", "drop"] = "retry"
    """A response that was asked for or in flight when the connection was lost: ask for it again, or do without."""
    max_audio_age_s: Seconds = 2.0
    """Audio that waited longer than this for a connection, in seconds, is dropped; never sent late."""
    classify: dict[Sign, Literal["temporary", "hopeless"]] = {}
    """Whether to try again by HTTP status, close code or error code, such as `{ "1008" = "temporary" }`."""


class Rollover(Section):
    """Moving to a fresh connection before the endpoint ends the old one."""

    margin_s: Seconds = 60.0
    """This long before the connection's end, in seconds, no new turn begins on it; a quiet moment is looked for from
    twice as long before. Never more than a quarter of the connection's life; 0 rolls over after the loss only."""
    max_age_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    """Roll over when a connection is as old as this, in seconds, even where the endpoint sets no end or a later one."""


class History(Section):
    """How much of the conversation is replayed on a new connection; the oldest is left out first."""

    max_items: Annotated[int, Field(ge=0, le=4096)] = 256
    """The most items; 0 starts every connection with an empty conversation."""
    max_tokens: Annotated[int, Field(ge=0)] = 16_000
    """The most tokens, estimated at four characters each."""
