"""`python -m tests.endurance.ray_batch [ROWS]`: a batch on a Ray cluster of three nodes, one of which ends midway.

Each row writes down a short recording, and each attempt keeps a journal of its own, which shows what has begun.
The nodes are processes of this machine and listen to it alone. It needs the extra `ray`.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.audio.format import PCM
from runner.local.speech.tones import SyntheticVoice
from tests.helpers.hearing_peers import recording

NODES = 3
SESSIONS_A_MINUTE = 600
_WINDOW_S = 10.0
_PROFILE = """
version = 1
[endpoint]
kind = "local"
[session]
type = "transcription"
[session.audio.input]
format = { type = "audio/pcm", rate = 24000 }
transcription = { model = "gpt-transcribe" }
turn_detection = { type = "server_vad", silence_duration_ms = 200 }
[input]
kind = "file"
path = "said.wav"
pace = "fast"
[journal]
path = "begun/{row}-{run_id}.jsonl"
[batch]
concurrency = 24
"""
_TIMED = """
import sys, time
from runner import logs
from runner.cli.main import run
code = run(sys.argv[2:])
open(sys.argv[1], "w").write(str(time.process_time()))
logs.finish()
sys.exit(code)
"""


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, Any, list[Any]]]:
    """Three nodes with a core each; yields their address, the cluster, and the nodes that a batch can do without."""
    # Ray reads a token once for a process.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="token",
        RAY_TMPDIR=str(folder),
        # Addresses of this machine stay what they are.
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
    )
    (folder / "ray").mkdir(exist_ok=True)
    from ray.cluster_utils import Cluster

    having = Cluster()
    try:
        options = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
        nodes = [having.add_node(**options) for _ in range(NODES)]
        yield having.address, having, nodes[1:]
    finally:
        having.shutdown()


class Trial:
    """One folder with a profile, a recording and rows.

    Args:
        folder: The folder.
        rows: How many rows there are.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.results = folder / "results.jsonl"
        (folder / "scribe.toml").write_text(_PROFILE)
        recording(folder / "said.wav", b"".join(pcm for _, pcm in SyntheticVoice().speak("Good day.", PCM.rate)))
        lines = [json.dumps({"id": str(number), "input": {"file": "said.wav"}}) for number in range(rows)]
        (folder / "rows.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def start(self, *flags: str) -> "subprocess.Popen[str]":
        """Start the batch, or go on with it."""
        arguments = ["batch", "scribe.toml", "rows.jsonl", "--results", self.results.name, "--output", "json", *flags]
        return subprocess.Popen(
            [sys.executable, "-c", _TIMED, "cpu", *arguments], cwd=self.folder, stdout=subprocess.PIPE, text=True
        )

    def lines(self) -> list[dict[str, Any]]:
        """The results by now."""
        text = self.results.read_text() if self.results.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_for(self, count: int, running: "subprocess.Popen[str]") -> None:
        """Wait until there are so many results."""
        while len(self.lines()) < count and running.poll() is None:
            time.sleep(0.2)

    def begun(self) -> Counter[str]:
        """How often each row was begun, by the journals."""
        return Counter(each.name.rpartition("-")[0] for each in (self.folder / "begun").glob("*.jsonl"))

    def found(self) -> dict[str, Any]:
        """What has become of the rows."""
        lines, begun = self.lines(), self.begun()
        lost = {each["id"] for each in lines if each["status"] == "failed"}
        starts_s = sorted(datetime.fromisoformat(each["started_at"]).timestamp() for each in lines)
        most = max(sum(at_s <= other_s < at_s + _WINDOW_S for other_s in starts_s) for at_s in starts_s[::10])
        return {
            "results": len(lines),
            "rows": len({each["id"] for each in lines}),
            "succeeded": len(lines) - len(lost),
            "written_down": sum(each["text"] == "Good day." for each in lines),
            "failed": dict(Counter(each["error"]["message"] for each in lines if each.get("error"))),
            "begun_twice": sorted(name for name, count in begun.items() if count > 1),
            "lost": sorted(lost),
            "lost_that_had_begun": len(lost & {*begun}),
            "most_begun_in_10_s": most,
        }


def ended_node(folder: Path, rows: int, sessions_a_minute: int = SESSIONS_A_MINUTE) -> dict[str, Any]:
    """End a node when a third of the rows have a result, and then try what was lost again."""
    trial = Trial(folder, rows)
    rate = ("--set", f"batch.max_sessions_per_minute={sessions_a_minute}")
    with cluster(folder) as (address, having, nodes):
        flags = ("--on", "ray", "--address", address, *rate)
        started_s = time.monotonic()
        with trial.start(*flags) as running:
            trial.wait_for(rows // 3, running)
            having.remove_node(nodes[-1], allow_graceful=False)
            code = running.wait(3600)
        first = {"exit_code": code, "took_s": round(time.monotonic() - started_s, 1), **trial.found()}
        with trial.start(*flags, "--retry-failed") as running:
            code = running.wait(600)
        again = {"exit_code": code, **trial.found()}
    lost, twice = set(first.pop("lost")), set(again["begun_twice"])
    return {
        "one_node_ends": {**first, "lost": len(lost)},
        "tried_again": {**again, "begun_twice": len(twice), "lost": len(again["lost"])},
        "begun_twice_without_being_lost": sorted(twice - lost),
    }


def compared(folder: Path, rows: int) -> dict[str, Any]:
    """What a row costs the process that hands it out, through Ray and without it, and how long its way is."""
    figures: dict[str, Any] = {}
    with cluster(folder) as (address, _, _):
        for name, flags in (("ray", ("--on", "ray", "--address", address)), ("local", ("--workers", str(NODES)))):
            place = folder / f"on-{name}"
            place.mkdir()
            trial = Trial(place, rows)
            started_s = time.monotonic()
            with trial.start("--concurrency", str(NODES), *flags) as running:
                running.wait(3600)
            took_s = time.monotonic() - started_s
            cpu_ms = float((trial.folder / "cpu").read_text()) * 1000
            figures[name] = {"driver_cpu_ms_a_row": round(cpu_ms / rows, 2), "took_s": round(took_s, 1)}
    return figures


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for function, rows in ((ended_node, count), (compared, count // 4)):
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as name:  # sockets have short paths
            print(json.dumps({function.__name__: function(Path(name), rows)}, indent=2), flush=True)
