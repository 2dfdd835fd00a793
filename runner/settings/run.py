"""What goes in, what comes out, how long a session runs, and what it logs."""

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runner.settings.continuity import History, Reconnect, Rollover
from runner.settings.limits import Limits
from runner.settings.section import Section

PLACEHOLDERS = frozenset({"profile", "run_id", "session", "started"})
"""The names that an output's path may contain in braces."""


def _template(value: str) -> str:
    try:
        fields = [field for field in Formatter().parse(value) if field[1] is not None]
    except ValueError:
        msg = "braces must come in pairs"
        raise ValueError(msg) from None
    for _, name, spec, conversion in fields:
        if name not in PLACEHOLDERS or spec or conversion:
            known = ", ".join(f"{{{each}}}" for each in sorted(PLACEHOLDERS))
            msg = f"unknown placeholder {{{name}}}; there are {known}"
            raise ValueError(msg)
    return value


PathTemplate = Annotated[str, Field(min_length=1), AfterValidator(_template)]
QueueBytes = Annotated[int, Field(ge=65536, le=1 << 32)]


class NoInput(Section):
    """Nothing goes in; the session lives until a signal or the endpoint ends it."""

    kind: Literal["none"]


class StdinInput(Section):
    """Standard input; on a terminal and with `format = "text"` it is a chat."""

    kind: Literal["stdin"]
    format: Literal["text", "events"] = "text"
    """`text`: each line is a user message that is answered; `events`: each line is a client event in JSON."""
    max_line_bytes: Annotated[int, Field(ge=1024, le=1 << 28)] = 16 * 1024 * 1024
    """The longest line taken, in bytes."""


Input = Annotated[NoInput | StdinInput, Field(discriminator="kind")]


class StdoutOutput(Section):
    """Standard output."""

    kind: Literal["stdout"]
    format: Literal["text", "events"] = "text"
    """`text`: the answers' text as it streams, or each answer whole where several sessions write; `events`: every
    server event as a JSON line."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow reader may fall behind before the session ends with an error, in bytes."""


class EventsOutput(Section):
    """A file of every server event, one JSON object a line."""

    kind: Literal["events"]
    path: PathTemplate
    """The file, appended to; may contain `{profile}`, `{run_id}`, `{session}` and `{started}`; folders are made."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""


class TranscriptOutput(Section):
    """A file of what was said, one JSON object a finished turn."""

    kind: Literal["transcript"]
    path: PathTemplate
    """The file, appended to; may contain `{profile}`, `{run_id}`, `{session}` and `{started}`; folders are made."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""


Output = Annotated[StdoutOutput | EventsOutput | TranscriptOutput, Field(discriminator="kind")]


class RunSettings(Section):
    """How long the session runs and how it ends."""

    until: Literal["input-end", "response-done", "signal"] = "input-end"
    """`input-end`: until the input has ended and everything asked is answered; `response-done`: until the first
    answer is complete; `signal`: until SIGTERM or SIGINT."""
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """After the first signal, the time for what is in flight to finish, in seconds."""
    loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """The event loop: `auto` is `uvloop` where it is installed (`pip install rt-run[fast]`) and `asyncio` elsewhere."""
    sessions: Annotated[int, Field(ge=1, le=100_000)] = 1
    """How many sessions of this profile run beside each other, each with its own connection; every one of them gets
    every line of standard input."""
    on_drift: Literal["ignore", "warn", "fail"] = "warn"
    """What to do where the endpoint's configuration is not what the profile asked for."""
    stall_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """An endpoint that owes something and says nothing for this long, in seconds, means a lost connection."""
    max_response_retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How often a response that failed for a temporary reason, or was lost with its connection, is asked for again."""
    reconnect: Reconnect = Field(default_factory=Reconnect)
    """What happens when a connection fails."""
    rollover: Rollover = Field(default_factory=Rollover)
    """When a connection is replaced before it expires."""
    history: History = Field(default_factory=History)
    """What a new connection is told of the conversation so far."""
    limits: Limits = Field(default_factory=Limits)
    """What the session may spend."""


class LoggingSettings(Section):
    """What goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged; `-v` and `-q` win over it."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere; `--log-format` wins over it."""
