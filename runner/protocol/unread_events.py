"""What the client is told of events that it cannot read."""

from typing import NamedTuple, final

from runner.protocol.side_fields import FieldUnreadable


@final
class EventUnknown(NamedTuple):
    """A type of event that rt-run does not know came for the first time; it is passed on like any other."""

    type: str


@final
class EventMalformed(NamedTuple):
    """A known event lacks what its type promises; its meaning is lost, the session goes on."""

    type: str
    problem: str


UnreadEvent = EventUnknown | EventMalformed | FieldUnreadable
