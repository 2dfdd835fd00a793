"""`python -m tests.endurance.trial`: what becomes of a session that meets each fault, as a table.

For each case the command itself is run, as a process, against a server that injects the fault.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from runner.settings.endpoint import LocalEndpoint
from tests.endurance.cases import CASES, Case, Outcome
from tests.helpers.command_process import Command, Ended

_QUESTIONS = "one\ntwo\n"
_ANSWERS = ["You said: one", "You said: two"]
_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
max_message_bytes = 1000000
[model]
name = "test"
[session]
output_modalities = ["text"]
instructions = "Be brief."
[run.reconnect]
max_attempts = 3
initial_delay_s = 0.1
max_delay_s = 0.2
"""


class Verdict(NamedTuple):
    """What became of a case."""

    case: Case
    outcome: Outcome | str
    """As in the case, or what went wrong."""
    gap_s: float | None
    """How long there was no connection, in seconds; None where there always was one."""
    took_s: float
    """The whole run, in seconds."""


async def tried(case: Case, folder: Path) -> Verdict:
    """Run the command against the fault, and see what becomes of it."""
    endpoint = LocalEndpoint.model_validate(
        {"kind": "local", "faults": case.faults, "delta_interval_ms": 40, "session_limit_s": 600}
    )
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, LocalApp(endpoint), "127.0.0.1", 0)
        profile = folder / f"{port}.toml"
        profile.write_text(_PROFILE.format(port=port))
        settings = [part for each in case.settings for part in ("--set", each)]
        started_s = time.monotonic()
        command = Command("-p", str(profile), "--log-format", "json", "-v", *settings, folder=folder)
        ended = await anyio.to_thread.run_sync(command.end, _QUESTIONS)
        took_s = time.monotonic() - started_s
        tasks.cancel_scope.cancel()
    if ended.code == -signal.SIGKILL:
        return Verdict(case, "hangs", None, took_s)
    return Verdict(case, _outcome(ended), _gap_s(ended.log), took_s)


def _outcome(ended: Ended) -> Outcome | str:
    if ended.code:
        return ended.code
    # An answer that was cut before its end was told is given again, whole.
    if list(dict.fromkeys(line for line in ended.stdout.splitlines() if line in _ANSWERS)) != _ANSWERS:
        return f"answered {ended.stdout!r}"
    trouble = {"connection_failed", "connection_lost"}
    return "recovered" if any(line["event"] in trouble for line in ended.log) else "unaffected"


def _gap_s(lines: Sequence[dict[str, Any]]) -> float | None:
    gaps: list[float] = [line["gap_s"] for line in lines if line["event"] == "session_resumed"]
    begun = next((line for line in lines if line["event"] == "connection_failed"), None)
    opened = next((line for line in lines if line["event"] == "session_opened"), None)
    if not gaps and begun and opened:
        return _seconds(opened) - _seconds(begun)
    return max(gaps, default=None)


def _seconds(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


async def all_tried(cases: Sequence[Case], *, at_once: int = 2) -> list[Verdict]:
    """Every case, a few at a time, in order."""
    verdicts: dict[int, Verdict] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def one(number: int, case: Case, folder: Path) -> None:
        async with limiter:
            verdicts[number] = await tried(case, folder)

    with tempfile.TemporaryDirectory() as folder:
        async with anyio.create_task_group() as tasks:
            for number, case in enumerate(cases):
                tasks.start_soon(one, number, case, Path(folder))
    return [verdicts[number] for number in range(len(cases))]


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = ["| fault | outcome | gap |", "|---|---|---|"]
    for case, outcome, gap_s, _ in verdicts:
        told = f"exit {outcome}" if isinstance(outcome, int) else outcome
        wrong = "" if outcome == case.outcome else f" (**expected {case.outcome}**)"
        rows.append(f"| {case.name} | {told}{wrong} | {'' if gap_s is None else f'{gap_s:.2f} s'} |")
    return "\n".join(rows)


if __name__ == "__main__":
    found = anyio.run(all_tried, CASES)
    print(_table(found))
    sys.exit(any(each.outcome != each.case.outcome for each in found))
