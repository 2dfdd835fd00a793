"""What a report of a session holds: the models behind `schemas/report.schema.json`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["user", "assistant", "system"]


class ReportTable(BaseModel):
    """A table of a report."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class ReportedConnection(ReportTable):
    """One connection of the session."""

    epoch: int
    """Its number, from 1."""
    opened: Literal["first", "after-loss", "in-time"]
    """Whether it was the first, followed one that was lost, or took over from one that still served."""
    at_s: float
    """When it was open, in seconds since the session began."""
    provider: str | None = None
    """The profile by which it was opened, where the session has fallbacks."""
    forked: str | None = None
    """The stored Live session that it has forked, by the endpoint's name of it."""
    gap_s: float | None = None
    """How long there was no connection before it, in seconds."""
    ended_at_s: float | None = None
    """When it ended, in seconds since the session began."""
    ended_by: Literal["client", "endpoint"] | None = None
    """Who ended it, where that is known."""
    code: int | None = None
    """The code by which it was closed."""
    why: str | None = None
    """Why, in the endpoint's words."""


class ReportedSegment(ReportTable):
    """What one speaker said of a turn."""

    speaker: str
    """The endpoint's name of the speaker."""
    text: str
    """What was said."""


class ReportedTurn(ReportTable):
    """One turn of the conversation; all of them are the transcript."""

    at_s: float
    """When it began, in seconds since the session began."""
    role: Role
    """Who said it."""
    text: str
    """What was said, as far as it is known in words."""
    status: str | None = None
    """How an answer ended, such as `completed`, `interrupted`, `cancelled`, `failed` or `lost`."""
    first_s: float | None = None
    """From the question, or from the end of the user's speech, to the first piece of the answer, in seconds, calls of
    tools before it included."""
    first_audio_s: float | None = None
    """The same to the first audio, in seconds."""
    done_s: float | None = None
    """The same to the end of the answer, in seconds."""
    spoke_s: float | None = None
    """How long the user spoke, in seconds."""
    audio_s: float | None = None
    """How much audio it has, in seconds."""
    key: str | None = None
    """The key of the telephone that the user has pressed, instead of words."""
    silent_s: float | None = None
    """How long the user has said nothing before the endpoint spoke up, in seconds, instead of words."""
    segments: list[ReportedSegment] | None = None
    """Who said what of it, where the transcription tells speakers apart."""
    languages: list[str] | None = None
    """The codes of the languages that were spoken, where the endpoint says so."""
    phases: list[str] | None = None
    """Of an answer with them: `commentary` for a preamble, `final_answer` for what was asked for, in order."""
    heard_s: float | None = None
    """How much of an answer was heard before the user interrupted it, in seconds."""


class ReportedCall(ReportTable):
    """One call of a tool."""

    at_s: float
    """When it was made, in seconds since the session began."""
    name: str
    """The tool."""
    outcome: str
    """`ok`, how it has failed, or `unanswered`."""
    took_s: float | None = None
    """Until its result was returned, in seconds."""


class ReportedError(ReportTable):
    """One error that the endpoint has reported."""

    at_s: float
    """When, in seconds since the session began."""
    message: str
    """The endpoint's words."""
    code: str = ""
    """The endpoint's code."""


class ReportedFailure(ReportTable):
    """Why the session has failed."""

    message: str
    """What went wrong, for people."""
    code: str = ""
    """The endpoint's code, where it has one."""


class ReportedLatency(ReportTable):
    """How long answers took to begin."""

    median_first_s: float | None = None
    """From the question to the first piece, the median, in seconds."""
    max_first_s: float | None = None
    """The longest, in seconds."""


class SessionReport(ReportTable):
    """What a session was, how it went, and what it used."""

    version: Literal[1] = 1
    """The version of this format."""
    id: str
    """The report's own id, the same however often it is delivered."""
    profile: str
    """The profile's name."""
    run_id: str
    """The run's id, as in its log."""
    session_id: str
    """The endpoint's name of the session, nothing where none was opened."""
    model: str
    """The model, as the endpoint reports it."""
    variables: dict[str, str] = {}
    """The values of the profile's variables, without secret ones."""
    started_at: str
    """When the session began, in UTC as ISO 8601 has it."""
    ended_at: str
    """When it had ended."""
    duration_s: float
    """How long it took, in seconds."""
    reason: str
    """Why it ended, such as `input-end`, `idle`, `signal` or `failed`."""
    exit_code: int | None = None
    """The exit code of the run; not in a report that was made from a journal."""
    failure: ReportedFailure | None = None
    """Why the run has failed, where it has."""
    connections: list[ReportedConnection] = []
    """Its connections."""
    turns: list[ReportedTurn] = []
    """What was said: the transcript with its times."""
    turns_left_out: int = 0
    """How many older turns this report leaves out."""
    interruptions: int = 0
    """How often an answer was interrupted."""
    latency: ReportedLatency = ReportedLatency()
    """How long answers took to begin."""
    calls: list[ReportedCall] = []
    """The calls of tools."""
    usage: dict[str, int | float] = {}
    """Tokens by direction and modality, and seconds of transcription, by the names that the log has; what is 0 is left
    out."""
    cost: float | None = None
    """What that costs by the profile's prices, in their currency."""
    heard_s: float = 0.0
    """Audio that was sent, in seconds."""
    spoken_s: float = 0.0
    """Audio that was received, in seconds."""
    drift: list[str] = []
    """Where the endpoint's configuration was not what was asked for."""
    errors: list[ReportedError] = []
    """What the endpoint has refused or failed to do."""
    files: dict[str, list[str]] = {}
    """The files that the session has written, by the kind of output; `journal` is one."""
