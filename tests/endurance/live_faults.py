"""`python -m tests.endurance.live_faults`: what becomes of a Live session that meets each fault, as a table.

Session and endpoint are in one process, and time is virtual: each piece of audio takes as long as it lasts, and costs
next to nothing.
"""

import sys
from typing import Any, NamedTuple

import anyio

from runner.errors import RunnerError
from runner.protocol.effects import TurnEnded
from runner.session.opening import open_session
from runner.session.pump import Reader
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.endurance.cases import Outcome
from tests.helpers.log_capture import captured_log
from tests.helpers.virtual_time import in_virtual_time

_QUESTIONS = [f"This is question number {number} of two." for number in ("one", "two")]
_ANSWERS = [f"You said: {question}" for question in _QUESTIONS]
_LEAD_S = 2.0
"""For so long nobody says anything at first, in virtual seconds."""
_PATIENCE_S = 600
_TROUBLE = frozenset({"connection_failed", "connection_lost"})

MIDDLE = {"after_events": 30}
"""In the middle of the first answer: a session's audio counts too, ten pieces a second."""


class LiveCase(NamedTuple):
    """A fault, or several in turn, and what becomes of a Live session."""

    name: str
    faults: list[dict[str, Any]]
    outcome: Outcome
    run: dict[str, Any]
    """More of the profile's `[run]`."""


class LiveVerdict(NamedTuple):
    """What became of a case."""

    case: LiveCase
    outcome: Outcome | str
    """As in the case, or what went wrong."""


def _refused(status: int, outcome: Outcome, code: str = "", **keys: Any) -> LiveCase:
    coded = {"code": code} if code else {}
    name = f"handshake refused with {status}" + (f" ({code})" if code else "") + ", always" * (keys.get("times") == 0)
    return LiveCase(name, [{"kind": "refuse", "status": status, **coded, **keys}], outcome, {})


def _closed(code: int, outcome: Outcome, reason: str = "", **run: Any) -> LiveCase:
    name = f"close {code}" + (f" ({reason})" if reason else "") + ', classified as "temporary"' * bool(run)
    return LiveCase(name, [{"kind": "close", "code": code, "reason": reason, **MIDDLE}], outcome, run)


def _ended(reason: str, outcome: Outcome) -> LiveCase:
    return LiveCase(f"`session.closed` ({reason})", [{"kind": "end", "reason": reason, **MIDDLE}], outcome, {})


def _error(code: str, outcome: Outcome) -> LiveCase:
    fault = {"kind": "error", "code": code, "message": "on purpose", **MIDDLE}
    return LiveCase(f"error event `{code}`", [fault], outcome, {})


def _once(kind: str, name: str, outcome: Outcome, run: dict[str, Any] | None = None, **keys: Any) -> LiveCase:
    return LiveCase(name, [{"kind": kind, **(MIDDLE | keys)}], outcome, run or {})


def _before(kind: str, name: str, outcome: Outcome, run: dict[str, Any] | None = None, **keys: Any) -> LiveCase:
    return LiveCase(name, [{"kind": kind, **keys}], outcome, run or {})


_DRIFT: dict[str, Any] = {"settings": {"instructions": "x"}}
_SILENT = {"stall_timeout_s": 5}

LIVE_CASES = [
    _refused(500, "recovered"),
    _refused(503, "recovered", times=2),
    _refused(429, "recovered", "rate_limit_exceeded", retry_after_s=1),
    _refused(429, 77, "insufficient_quota", times=0),
    _refused(400, 78, times=0),
    _refused(401, 77, times=0),
    _refused(403, 77, times=0),
    _refused(404, 78, "model_not_found", times=0),
    _refused(503, 75, times=0),
    _before("delay", "handshake answered too late", "recovered", delay_s=30),
    _before("silent", "handshake accepted, then silence", "recovered"),
    _before("refuse-update", "start refused", 78, times=0),
    _before("drift", "configuration not as asked", "unaffected", **_DRIFT),
    _before("drift", 'configuration not as asked, `on_drift = "fail"`', 78, {"on_drift": "fail"}, times=0, **_DRIFT),
    _once("drop", "connection cut before the start", "recovered", after_events=0),
    _once("drop", "connection cut in mid-answer", "recovered"),
    _once(
        "drop",
        'connection cut in mid-answer, `response_in_flight = "drop"`',
        69,
        {"reconnect": {"response_in_flight": "drop"}},
    ),
    _once("drop", "every connection cut", 69, after_events=1, times=0),
    _ended("expired", "recovered"),
    _ended("content", 78),
    _ended("remote_hangup", "recovered"),
    _ended("connection_lost", "recovered"),
    _closed(1000, "recovered"),
    _closed(1001, "recovered", "Your session hit the maximum duration of 120 minutes."),
    _closed(1008, 76),
    _closed(1008, "recovered", reconnect={"classify": {"1008": "temporary"}}),
    _closed(1009, 76),
    _closed(1011, "recovered"),
    _closed(1012, "recovered"),
    _closed(1013, "recovered"),
    _closed(3000, 77, "invalid_request_error.invalid_api_key"),
    _before("expire", "session expires", "recovered", {"rollover": {"margin_s": 0}}, after_s=3),
    _once("stall", "no event any more", "recovered", _SILENT),
    _once("no-pong", "no pong any more", "recovered"),
    _once("deaf", "nothing is read any more", "recovered"),
    _before("slow", "everything dribbles", "unaffected", bytes_per_s=100_000),
    _error("server_error", "unaffected"),
    _error("session_expired", "recovered"),
    _error("insufficient_quota", 77),
    _error("invalid_api_key", 77),
    _once("unknown-event", "event of an unknown type", "unaffected"),
    _once("duplicate", "event twice", "unaffected", after_events=1),
    _once("malformed", "message that is not JSON", "unaffected"),
    _once("binary", "binary message", "unaffected"),
    _once("not-utf8", "message that is not UTF-8", "recovered"),
    _once("oversized", "message larger than allowed", "recovered"),
    _once("garbage", "bytes that are no WebSocket", "recovered"),
]
"""Each fault of the local endpoint that a Live session can meet."""


def _profile(case: LiveCase) -> Profile:
    reconnect = {"max_attempts": 3, "initial_delay_s": 0.1, "max_delay_s": 0.2, **case.run.get("reconnect", {})}
    return Profile.model_validate(
        {
            "version": 1,
            "endpoint": {"kind": "local", "faults": case.faults},
            "model": {"name": "test"},
            "session": {"type": "live", "instructions": "Be brief."},
            "run": {**case.run, "reconnect": reconnect},
        }
    )


async def live_tried(case: LiveCase) -> LiveVerdict:
    """Ask two questions, and see what becomes of them."""
    answers: list[str] = []

    def hear(update: Update) -> None:
        answers.extend(
            effect.text
            for effect in update.effects
            if isinstance(effect, TurnEnded) and (effect.role, effect.status) == ("assistant", "completed")
        )

    with captured_log() as lines, anyio.move_on_after(_PATIENCE_S) as patience:
        outcome: Outcome | str = await _talked(case, hear)
    if patience.cancelled_caught:
        return LiveVerdict(case, "hangs")
    if outcome == "unaffected" and any(line["event"] in _TROUBLE for line in lines):
        outcome = "recovered"
    if not isinstance(outcome, int) and answers != _ANSWERS:
        outcome = f"answered {answers}"
    return LiveVerdict(case, outcome)


async def _talked(case: LiveCase, hear: Reader) -> Outcome:
    try:
        async with open_session(_profile(case), readers=[hear]) as session:
            await anyio.sleep(_LEAD_S)
            for question in _QUESTIONS:
                await session.say(question)
                await session.wait_answered()
            await session.aclose()
            lost = session.failure or session.first_unanswered
    except RunnerError as error:
        return error.exit_code
    return lost.exit_code if lost else "unaffected"


def _row(verdict: LiveVerdict) -> str:
    case, outcome = verdict
    told = f"exit {outcome}" if isinstance(outcome, int) else outcome
    wrong = "" if outcome == case.outcome else f" (**expected {case.outcome}**)"
    return f"| {case.name} | {told}{wrong} |"


if __name__ == "__main__":
    verdicts = [in_virtual_time(live_tried, case) for case in LIVE_CASES]
    print("| fault | outcome |", "|---|---|", *map(_row, verdicts), sep="\n")
    sys.exit(any(each.outcome != each.case.outcome for each in verdicts))
