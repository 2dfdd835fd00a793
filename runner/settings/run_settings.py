"""How long a session runs, how it ends, and what it logs."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.continuity import History, Reconnect, Rollover
from runner.settings.limits import Limits
from runner.settings.resume_settings import ResumeSettings
from runner.settings.tool_use import ToolUse

ProfileReference = Annotated[str, Field(min_length=1, max_length=1024)]


class RunSettings(Section):
    """How long the session runs and how it ends."""

    until: Literal["input-end", "response-done", "signal"] = "input-end"
    """`input-end`: until the input has ended and everything asked is answered; `response-done`: until the first
    answer is complete; `signal`: until SIGTERM or SIGINT."""
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """After the first signal, the time for what is in flight to finish, in seconds."""
    loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """The event loop: `auto` is `uvloop` where it is installed (the extra `fast`) and `asyncio` elsewhere."""
    sessions: Annotated[int, Field(ge=1, le=100_000)] = 1
    """How many sessions of this profile run beside each other, each with its own connection; every one of them gets
    every line of standard input."""
    on_drift: Literal["ignore", "warn", "fail"] = "warn"
    """What to do where the endpoint's configuration is not what the profile asked for."""
    stall_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """The connection counts as lost where an answer is pending and nothing comes for this long, in seconds."""
    max_response_retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How often a response that failed for a temporary reason, or was lost with its connection, is retried."""
    reconnect: Reconnect = Field(default_factory=Reconnect.model_construct)
    """What happens when a connection fails."""
    rollover: Rollover = Field(default_factory=Rollover.model_construct)
    """When a connection is replaced before it expires."""
    history: History = Field(default_factory=History.model_construct)
    """How much of the conversation is replayed on a new connection."""
    resume: ResumeSettings | None = None
    """Where the session is written down, so that another process can go on with it."""
    limits: Limits = Field(default_factory=Limits.model_construct)
    """What the session may spend."""
    tools: ToolUse = Field(default_factory=ToolUse.model_construct)
    """What holds for all tools."""
    fallback: Annotated[list[ProfileReference], Field(max_length=8)] = []
    """Profiles, by name or by path, whose endpoint, auth, model and prices take over in this order where ours fail, and
    `[session]` where one is of the other kind, realtime or Live."""
    fallback_after_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """The next of them takes over where no connection can be had for this long, in seconds."""
    fallback_cooldown_s: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """What has failed is left alone for this long, in seconds; then the session moves back to the first that serves."""


class LoggingSettings(Section):
    """What goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged; `-v` and `-q` win over it."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere; `--log-format` wins over it."""
