"""The format of a state file: a header, and changes, one JSON object a line, each with a checksum."""

from dataclasses import fields
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from runner.protocol.json_text import joined
from runner.protocol.usage import Usage

VERSION: Final = 2
"""The version of the format that this program writes, and the only one that it reads."""

_AMOUNTS: Final = frozenset(each.name for each in fields(Usage))


class StateRecord(BaseModel):
    """A part of a state file: what is not in the format is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """A record of these values; half of a surrogate pair, which no JSON text holds, is replaced."""
        try:
            return cls(**fields)
        except ValidationError:
            return cls(**readable(fields))


class StateHeader(StateRecord):
    """The first line: whose session it is."""

    format: Literal["rt-run state"] = "rt-run state"
    version: int = VERSION
    profile: str
    """The name of the profile, nothing where it is in no file."""
    variables: dict[str, str] = {}  # pydantic copies defaults
    """A hash of the value of each variable that is not secret."""
    begun_at_s: float
    """When the session began, in Unix seconds."""


class SavedItem(StateRecord):
    """One item of the conversation that is finished."""

    id: str
    type: str
    role: str = ""
    texts: dict[int, str] = {}
    """The text of each part by its content index."""
    status: Literal["in_progress", "completed", "incomplete"] = "completed"
    is_announced: bool = False
    """Whether its end was reported to whoever reads the session."""
    call_id: str = ""
    name: str = ""
    server: str = ""
    phase: str = ""
    languages: tuple[str, ...] = ()
    audio_characters: int = 0
    """How much audio came of it, in characters of base64."""
    heard_ms: int | None = None
    """Where its audio was cut, in milliseconds."""
    response_id: str = ""
    """The response that has made it."""


class SavedRequest(StateRecord):
    """A `response.create` that has no answer yet; one without an id was turn detection's."""

    event_id: str = ""
    event: dict[str, Any]
    first_id: str = ""
    """The `event_id` of the request that it repeats, or whose turn it continues."""
    failures: int = 0
    overtaken: int = 0
    at_s: float = 0.0
    """When it was sent first, in Unix seconds."""
    response_id: str = ""
    """The response to it, where that has begun."""
    is_due: bool = False
    """Whether it is to be sent again already, because its response failed or its connection was lost."""

    @field_validator("event")
    @classmethod
    def _event_that_asks(cls, event: dict[str, Any]) -> object:
        if event.get("type") != "response.create":
            msg = "no response is asked for by it"
            raise ValueError(msg)
        return event


class SavedCall(StateRecord):
    """The call of a function."""

    call_id: str
    name: str
    arguments: str
    item_id: str


class SavedRound(StateRecord):
    """The calls of one response, which are answered together."""

    response_id: str
    turn_id: str = ""
    number: int
    calls: tuple[SavedCall, ...] = ()
    has_words: bool = False
    standing: Literal["going-on", "interrupted", "spent"] = "going-on"


class SavedWork(StateRecord):
    """The turns that are not over."""

    requests: tuple[SavedRequest, ...] = ()
    rounds: tuple[SavedRound, ...] = ()
    turns: dict[str, tuple[str, int]] = {}
    """By the `event_id` of a request that continues a turn: the turn, and how many rounds it has had."""


class CallProgress(StateRecord):
    """How far a call is: it has begun, and it has ended where it has an outcome."""

    begun_at_s: float
    """When, in Unix seconds."""
    outcome: str = ""
    output: str = ""
    duration_s: float = 0.0


class SavedCounts(StateRecord):
    """What limits count beside the usage."""

    turns: int = 0
    calls: int = 0
    errors: int = 0
    lived_s: float = 0.0


class StateChange(StateRecord):
    """Every other line: what has changed at one moment; all of it counts, or nothing."""

    at_s: float
    """When, in Unix seconds."""
    starts: int | None = None
    """How many processes have gone on with the session, its first included."""
    session_id: str | None = None
    items: tuple[SavedItem, ...] = ()
    """Items that are new, which follow upon all others, or have changed, which stay where they are."""
    gone: tuple[str, ...] = ()
    """The ids of items that are gone."""
    order: tuple[str, ...] | None = None
    """The ids of all items, where new ones do not simply follow."""
    work: SavedWork | None = None
    """All turns that are not over."""
    calls: dict[str, CallProgress | None] = {}
    """Calls by the ids of their items; null for one whose output stands in the conversation."""
    usage: dict[str, dict[str, int | float]] | None = None
    """All that was used, by the names of the providers."""
    counts: SavedCounts | None = None
    is_greeted: bool | None = None
    """Whether the greeting was said, or asked for."""
    over: str | None = None
    """Why the conversation has ended for good: `hung-up` or `idle`."""

    @field_validator("usage")
    @classmethod
    def _amounts_that_are_counted(cls, usage: dict[str, dict[str, int | float]] | None) -> object:
        for amount in {amount for each in (usage or {}).values() for amount in each} - _AMOUNTS:
            msg = f"no usage is counted as {amount}"
            raise ValueError(msg)
        return usage


def readable(value: Any) -> Any:
    """The value with a replacement character for each half of a surrogate pair."""
    match value:
        case str():
            return joined(value)
        case dict():
            return {readable(key): readable(each) for key, each in value.items()}
        case list() | tuple():
            return [readable(each) for each in value]
    return value
