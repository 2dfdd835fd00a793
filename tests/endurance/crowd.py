"""`python -m tests.endurance.crowd [SESSIONS]`: many sessions in one process, a tenth of which fail.

The command runs them against `serve-local`, both as processes. Of those that are spared every one has to answer; a
second run holds all of them open, weighs them and drains them by SIGTERM.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GRACE_S = 10
_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{base_url}"
[model]
name = "test"
[session]
output_modalities = ["text"]
[input]
kind = "{kind}"
[run]
sessions = {sessions}
grace_s = {grace_s}
"""
_HOPELESS = 'kind=error,code=insufficient_quota,message="no quota",times={times},after_events=6'
_TENTH = 10


@contextmanager
def endpoint(*faults: str) -> Iterator[str]:
    """`serve-local` as a process of its own; yields its base URL."""
    flags = [part for fault in faults for part in ("--fault", fault)]
    command = [sys.executable, "-m", "runner", "serve-local", "--listen", "127.0.0.1:0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None  # for the type checker
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@contextmanager
def command(folder: Path, base_url: str, kind: str, sessions: int) -> Iterator["subprocess.Popen[str]"]:
    """The command, running so many sessions."""
    profile = folder / f"{kind}.toml"
    profile.write_text(_PROFILE.format(base_url=base_url, kind=kind, sessions=sessions, grace_s=GRACE_S))
    with (folder / "log").open("w") as log:
        arguments = [sys.executable, "-m", "runner", "-p", str(profile), "--log-format", "json"]
        pipe = subprocess.PIPE
        with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=log, text=True) as running:
            try:
                yield running
            finally:
                running.kill()


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    """The lines of the command's log that tell of this."""
    lines = (json.loads(line) for line in (folder / "log").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def failing(folder: Path, sessions: int) -> dict[str, Any]:
    """Let a tenth of the connections fail in the middle of an answer; the sessions of the others have to finish."""
    started_s = time.monotonic()
    with (
        endpoint(_HOPELESS.format(times=sessions // _TENTH)) as base_url,
        command(folder, base_url, "stdin", sessions) as running,
    ):
        answers, _ = running.communicate("Hello\n", timeout=300)
    (ended,) = logged(folder, "sessions_ended")
    return {
        "failed": ended["failed"],
        "exit_codes": ended["exit_codes"],
        "answered": answers.count("You said: Hello"),
        "took_s": round(time.monotonic() - started_s, 2),
    }


def drained(folder: Path, sessions: int) -> dict[str, Any]:
    """Hold all sessions open and idle, and drain them."""
    with endpoint() as base_url, command(folder, base_url, "none", sessions) as running:
        _wait_for(folder, "session_opened", sessions)
        memory_kb = _memory_kb(running.pid)
        started_s = time.monotonic()
        running.terminate()
        code = running.wait(60)
    took_s = time.monotonic() - started_s
    closed = [line["exit_code"] for line in logged(folder, "session_closed")]
    return {
        "memory_kb": memory_kb,
        "drained_in_s": round(took_s, 2),
        "exit_code": code,
        "closed_well": closed.count(0),
    }


def weighed(folder: Path, sessions: int) -> dict[str, Any]:
    """Drain one session and a crowd of them, to know what each of the crowd takes."""
    alone, crowd = drained(folder, 1), drained(folder, sessions)
    each_kb = (crowd.pop("memory_kb") - alone["memory_kb"]) / (sessions - 1)
    return {"memory_each_kb": round(each_kb, 1), **crowd}


def _wait_for(folder: Path, event: str, count: int) -> None:
    deadline_s = time.monotonic() + 120
    while len(logged(folder, event)) < count:
        if time.monotonic() > deadline_s:
            msg = f"only {len(logged(folder, event))} of {count} have {event}"
            raise TimeoutError(msg)
        time.sleep(0.05)


def _memory_kb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1000


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({"failing": failing(Path(name), count), "drained": weighed(Path(name), count)}, indent=2))
