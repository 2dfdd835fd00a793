"""What the client is told of events that it cannot read."""

from dataclasses import dataclass
from typing import final

from runner.protocol.side_fields import FieldUnreadable


@final
@dataclass(frozen=True, slots=True)
class EventUnknown:
    """A type of event that rt-run does not know came for the first time; it is passed on like any other."""

    type: str


@final
@dataclass(frozen=True, slots=True)
class EventMalformed:
    """A known event lacks what its type promises; its meaning is lost, the session goes on."""

    type: str
    problem: str


UnreadEvent = EventUnknown | EventMalformed | FieldUnreadable
