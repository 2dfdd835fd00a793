"""`python -m tests.endurance.batches [ROWS [KILLS]]`: a batch of transcriptions that is killed again and again.

2,000 rows and three kills without arguments; with 10,000 rows and none it shows that the memory of the process that
hands rows out stays as it is. What has to hold: every row has one result with its words, and no worker outlives who has
started it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import wave
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.local.speech.tones import SyntheticVoice
from tests.endurance.crowd import endpoint

WORDS = "One two"
ROWS = 2000
KILLS = 3
_WORKERS = 2
_CONCURRENCY = 16
_LOOK_S = 0.05
_LEAVE_S = 10.0
_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{address}"
[auth]
kind = "none"
[session]
type = "transcription"
[session.audio.input]
transcription = {{ model = "gpt-transcribe" }}
turn_detection = "none"
[input]
kind = "file"
path = "said.wav"
pace = "fast"
"""


@dataclass
class BatchTally:
    """What has come of a batch."""

    rows: int
    kills: int = 0
    torn: int = 0
    """How many kills have left a line unfinished."""
    results: int = 0
    twice: int = 0
    wrong: int = 0
    """Results with other words than were said."""
    left_behind: int = 0
    """Workers that were there ten seconds after a kill."""
    exit_code: int = -1
    memory_kb: list[int] = field(default_factory=list)
    """What the process that hands rows out takes, at each tenth of the last start's rows."""
    took_s: float = 0.0


def trial(folder: Path, rows: int, kills: int, *, seed: int = 1) -> BatchTally:
    """Run a batch, and kill it so many times on the way.

    Args:
        folder: An empty folder.
        rows: How many there are.
        kills: How often it is killed, at moments by chance.
        seed: Says when.
    """
    chance, tally, began_s = random.Random(seed), BatchTally(rows), time.monotonic()  # noqa: S311  # repeatable
    results = folder / "results.jsonl"
    with endpoint() as address:
        _prepare(folder, rows, address)
        for place in sorted(chance.sample(range(1, rows), kills)):
            with _started(folder) as process:
                while process.poll() is None and _lines(results) < place:
                    time.sleep(_LOOK_S)
                workers = _children(process.pid)
                process.kill()
                process.wait()
            tally.kills += 1
            tally.torn += results.exists() and not results.read_bytes().endswith(b"\n")
            tally.left_behind += _left(workers)
        with _started(folder) as process:
            before = _lines(results)
            marks = [before + (rows - before) * tenth // 10 for tenth in range(1, 11)]
            while process.poll() is None:
                if marks and _lines(results) >= marks[0]:
                    marks.pop(0)
                    tally.memory_kb.append(_memory_kb(process.pid))
                time.sleep(_LOOK_S)
            tally.exit_code = process.returncode
    found = [json.loads(line) for line in results.read_text().splitlines()]
    counts = Counter(each["id"] for each in found)
    tally.results, tally.twice = len(counts), sum(count > 1 for count in counts.values())
    tally.wrong = sum(each["text"] != WORDS for each in found)
    tally.took_s = round(time.monotonic() - began_s, 1)
    return tally


def _prepare(folder: Path, rows: int, address: str) -> None:
    (folder / "transcribe.toml").write_text(_PROFILE.format(address=address))
    with wave.open(str(folder / "said.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(b"".join(sound for _, sound in SyntheticVoice().speak(WORDS, 24_000)))
    lines = (json.dumps({"id": str(number), "input": {"file": "said.wav"}}) + "\n" for number in range(rows))
    (folder / "rows.jsonl").write_text("".join(lines))


@contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    flags = ["--workers", str(_WORKERS), "--concurrency", str(_CONCURRENCY)]
    command = [sys.executable, "-m", "runner", "-q", "batch", "./transcribe.toml", "rows.jsonl"]
    with subprocess.Popen(
        [*command, "--results", "results.jsonl", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _left(workers: list[int]) -> int:
    """How many of these processes stay, once they had the time to end."""
    end_s = time.monotonic() + _LEAVE_S
    while (left := sum(Path(f"/proc/{each}").exists() for each in workers)) and time.monotonic() < end_s:
        time.sleep(_LOOK_S)
    return left


def _memory_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)


def main() -> None:
    """Run the trial, and print what has come of it."""
    numbers = [int(each) for each in sys.argv[1:]]
    rows, kills = (numbers + [ROWS, KILLS][len(numbers) :])[:2]
    with TemporaryDirectory() as folder:
        print(trial(Path(folder), rows, kills))


if __name__ == "__main__":
    main()
