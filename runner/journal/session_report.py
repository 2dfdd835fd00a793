"""The report of a session: what it was, how it went and what it cost, as one JSON object with a published schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.journal.report_model import (
    ReportedCall,
    ReportedConnection,
    ReportedError,
    ReportedFailure,
    ReportedLatency,
    ReportedTurn,
    Role,
    SessionReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.journal.rows import Row
    from runner.journal.timeline import Timeline

_TURN_FACTS = (
    "key",
    "silent_s",
    "segments",
    "languages",
    "phases",
    "status",
    "first_s",
    "first_audio_s",
    "done_s",
    "spoke_s",
    "audio_s",
    "heard_s",
)
MOST_TURNS = 10_000
"""The newest turns, calls and errors that a report holds, of each; it says how many turns were left out."""


def report_of(
    timeline: Timeline,
    *,
    exit_code: int | None = None,
    reason: str = "",
    failure: ReportedFailure | None = None,
    cost: float | None = None,
) -> SessionReport:
    """The report of a session whose records a timeline has taken in.

    Args:
        timeline: The session.
        exit_code: The exit code of its run, None where that is not known.
        reason: Why it ended, where the records do not say it.
        failure: Why its run has failed.
        cost: What it has cost, None where that is not known.
    """
    header, summary, usage = timeline.header, timeline.summary(), timeline.usage
    turns = [_turn(row) for row in timeline.rows if _is_turn(row)]
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
        cost=None if cost is None else round(cost, 6),
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
        if (span.opened == "after-loss" or span.forked) and ended_at_s is not None:
            gap_s = round(max(0.0, span.at_s - ended_at_s), 3)
        ended_at_s = span.ended_at_s if span.ended_at_s is not None else ended_at_s
        yield ReportedConnection(
            epoch=span.epoch,
            opened=span.opened,
            at_s=span.at_s,
            provider=span.provider or None,
            forked=span.forked or None,
            gap_s=gap_s,
            ended_at_s=span.ended_at_s,
            ended_by=span.ended_by,
            code=span.code,
            why=span.why or None,
        )


def _is_turn(row: Row) -> bool:
    """Whether something was said; what a response has only called stands among the calls."""
    return row.who in {"user", "assistant", "system"} and bool(row.text or "calls" not in row.facts)


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
