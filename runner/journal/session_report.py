"""The report of a session: what it was, how it went and what it cost, as one JSON object with a published schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.journal.rows import Row
    from runner.journal.timeline import Timeline
    from runner.settings.limits import Prices

_TURN_FACTS = ("status", "first_s", "first_audio_s", "done_s", "spoke_s", "audio_s", "heard_s")
MOST_TURNS = 10_000
"""The newest turns, calls and errors that a report holds, of each; it says how many turns were left out."""


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
    """From the question, or from the end of the user's speech, to the first piece of the answer, in seconds."""
    first_audio_s: float | None = None
    """The same to the first audio, in seconds."""
    done_s: float | None = None
    """The same to the end of the answer, in seconds."""
    spoke_s: float | None = None
    """How long the user spoke, in seconds."""
    audio_s: float | None = None
    """How much audio it has, in seconds."""
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


def report_of(
    timeline: Timeline,
    *,
    exit_code: int | None = None,
    reason: str = "",
    failure: ReportedFailure | None = None,
    prices: Prices | None = None,
) -> SessionReport:
    """The report of a session whose records a timeline has taken in.

    Args:
        timeline: The session.
        exit_code: The exit code of its run, None where that is not known.
        reason: Why it ended, where the records do not say it.
        failure: Why its run has failed.
        prices: What tokens cost.
    """
    header, summary, usage = timeline.header, timeline.summary(), timeline.usage
    turns = [_turn(row) for row in timeline.rows if row.who in {"user", "assistant", "system"}]
    return SessionReport(
        id=f"report_{timeline.started.get('run_id') or header.session_id}",
        profile=header.profile,
        run_id=str(timeline.started.get("run_id", "")),
        session_id=header.session_id,
        model=header.model,
        variables=_texts(timeline.started.get("variables")),
        started_at=_moment(header.started_s),
        ended_at=_moment(header.started_s + header.duration_s),
        duration_s=header.duration_s,
        reason=str(timeline.ended.get("reason", "")) or reason,
        exit_code=exit_code,
        failure=failure,
        connections=list(_connections(timeline)),
        turns=turns[-MOST_TURNS:],
        turns_left_out=max(0, len(turns) - MOST_TURNS),
        interruptions=summary.interruptions,
        latency=ReportedLatency(median_first_s=summary.median_first_s, max_first_s=summary.max_first_s),
        calls=[_call(row) for row in timeline.rows if row.who == "tool"][-MOST_TURNS:],
        usage=dict(usage.as_log()),
        cost=round(usage.cost(prices), 6) if prices else None,
        heard_s=summary.heard_s,
        spoken_s=summary.spoken_s,
        drift=list(dict.fromkeys(str(each) for row in timeline.rows for each in row.facts.get("differs", ()))),
        errors=[_error(row) for row in timeline.rows if row.who == "error"][-MOST_TURNS:],
        files=_files(timeline.started.get("files")),
    )


def _connections(timeline: Timeline) -> Iterator[ReportedConnection]:
    ended_at_s: float | None = None
    for span in timeline.connections:
        gap_s = None
        if span.opened == "after-loss" and ended_at_s is not None:
            gap_s = round(max(0.0, span.at_s - ended_at_s), 3)
        ended_at_s = span.ended_at_s if span.ended_at_s is not None else ended_at_s
        yield ReportedConnection(
            epoch=span.epoch,
            opened=span.opened,
            at_s=span.at_s,
            gap_s=gap_s,
            ended_at_s=span.ended_at_s,
            ended_by=span.ended_by,
            code=span.code,
            why=span.why or None,
        )


def _turn(row: Row) -> ReportedTurn:
    role: Role = "user" if row.who == "user" else "system" if row.who == "system" else "assistant"
    known = {name: row.facts[name] for name in _TURN_FACTS if name in row.facts}
    return ReportedTurn(at_s=row.at_s, role=role, text=row.text, **known)


def _call(row: Row) -> ReportedCall:
    facts = row.facts
    is_answered = "took_s" in facts or "output" in facts
    outcome = str(facts.get("outcome") or ("failed" if "error" in facts else "ok" if is_answered else "unanswered"))
    return ReportedCall(at_s=row.at_s, name=row.text.partition("(")[0], outcome=outcome, took_s=facts.get("took_s"))


def _error(row: Row) -> ReportedError:
    return ReportedError(at_s=row.at_s, message=row.text, code=str(row.facts.get("code", "")))


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(each) for name, each in value.items()} if isinstance(value, dict) else {}


def _files(value: object) -> dict[str, list[str]]:
    tables = value.items() if isinstance(value, dict) else ()
    return {str(kind): [str(each) for each in paths] for kind, paths in tables if isinstance(paths, list)}


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
