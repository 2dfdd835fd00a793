"""The rows of a timeline, with its header, its summary and its clock."""

from dataclasses import dataclass, field
from typing import Any, Literal

from runner.protocol.json_fields import JsonObject

Who = Literal["user", "assistant", "system", "tool", "connection", "session", "error"]


@dataclass(slots=True)
class Row:
    """One thing that happened."""

    at_s: float
    """When, in seconds since the session's first record."""
    epoch: int
    """The number of the connection."""
    who: Who
    text: str
    """What was said, called or reported; it comes from outside and may hold anything."""
    facts: JsonObject = field(default_factory=dict)
    """What else is known, such as `status` or `first_s`; durations are in seconds; `note` has a note's fields."""


@dataclass(slots=True)
class Header:
    """The session of a timeline."""

    session_id: str = ""
    model: str = ""
    profile: str = ""
    started_s: float = 0.0
    """When the first record was made, in Unix seconds."""
    duration_s: float = 0.0
    connections: int = 0


@dataclass(slots=True)
class ConnectionSpan:
    """One connection, from its opening to its end; times are seconds since the session's first record."""

    epoch: int
    opened: Literal["first", "after-loss", "in-time"]
    """Whether it was the first, followed one that was lost, or took over from one that still served."""
    at_s: float
    provider: str = ""
    """The profile by which it was opened, where the session has fallbacks."""
    forked: str = ""
    """The stored Live session that it has forked; nothing where it has forked none."""
    ended_at_s: float | None = None
    ended_by: Literal["client", "endpoint"] | None = None
    code: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened, in numbers."""

    turns: int
    """How often the user said something."""
    responses: int
    interruptions: int
    tool_calls: int
    errors: int
    reconnects: int
    """Connections that followed one that was lost."""
    rollovers: int
    """Connections that followed one that the client had closed, or that still lived."""
    median_first_s: float | None
    """From a request to the first piece of its answer, in seconds."""
    max_first_s: float | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    heard_s: float
    """Audio sent to the endpoint, in seconds."""
    spoken_s: float
    """Audio received from it, in seconds."""


class Rows:
    """The rows so far; the reader of the records sets `now_s` and `epoch` for each record."""

    def __init__(self) -> None:
        self.all: list[Row] = []
        self.start_s = 0.0
        self.now_s = 0.0
        self.epoch = 0

    def add(self, who: Who, text: str, **facts: Any) -> Row:
        """Add a row that happens now; facts that are None or empty are left out."""
        kept = {key: value for key, value in facts.items() if value not in (None, "", [], {})}
        row = Row(self.offset_s(self.now_s), self.epoch, who, text, kept)
        self.all.append(row)
        return row

    def offset_s(self, at_s: float) -> float:
        """A time in Unix seconds as seconds since the start."""
        return round(at_s - self.start_s, 3)

    def since_s(self, at_s: float) -> float:
        """How long ago a time in Unix seconds was."""
        return round(self.now_s - at_s, 3)
