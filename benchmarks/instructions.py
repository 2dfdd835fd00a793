"""How many instructions an event takes in rt-run itself: a figure that a busy machine does not change."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Claim, Comparison, Contender
from benchmarks.processes import environment

_TIMEOUT_S = 120.0
_YARDSTICK = "json.loads and base64 of an audio delta"
_TASKS = {
    _YARDSTICK: "yardstick",
    "audio delta to PCM": "decoded",
    "audio delta nobody decodes": "undecoded",
    "text delta": "text",
    "sent audio event": "sent",
    "audio delta of a Live session to PCM": "live_decoded",
    "sent audio event of a Live session": "live_sent",
}
"""What is counted, by the names that `benchmarks.hotpath` has for it."""
_CLAIMS = {
    "audio delta to PCM": 0.20,
    "audio delta nobody decodes": 0.155,
    "text delta": 0.12,
    "sent audio event": 0.19,
    "audio delta of a Live session to PCM": 0.28,
    "sent audio event of a Live session": 0.28,
}
"""A tenth above what was counted last: a regression shows, however busy the machine is."""


@dataclass(frozen=True)
class _Counter:
    """A program that counts the instructions of another one, and how its answer is read from a file."""

    command: Sequence[str]
    answer: re.Pattern[str]
    events: int
    """How many are enough: some counters slow their program down by much."""


_COUNTERS = (
    _Counter(
        ("perf", "stat", "-x,", "-e", "instructions:u", "-o", "{file}"), re.compile(r"^(\d+),", re.MULTILINE), 20_000
    ),
    _Counter(
        ("valgrind", "-q", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file={file}"),
        re.compile(r"^summary: (\d+)", re.MULTILINE),
        200,
    ),
)


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare; nothing where neither `perf` nor `valgrind` can count here."""
    counter = next((each for each in _COUNTERS if _works(each)), None)
    if counter is None:
        print("\nInstructions an event: skipped, neither `perf stat` nor `valgrind` can count them here")
        yield []
        return
    contenders = [Contender(name, _each(counter, task)) for name, task in _TASKS.items()]
    claims = [Claim(name, _YARDSTICK, at_most) for name, at_most in _CLAIMS.items()]
    yield [
        Comparison(
            f"Instructions an event, counted by {counter.command[0]}", "thousands", contenders, claims, most_rounds=1
        )
    ]


def _each(counter: _Counter, task: str) -> Callable[[], float]:
    def measure() -> float:
        # Whoever comes first has bytecode to write, which must not be counted.
        subprocess.run(_driver(task, 1), env=environment({}), timeout=_TIMEOUT_S, check=True)
        more, fewer = (_counted(counter, _driver(task, times * counter.events)) for times in (2, 1))
        return (more - fewer) / counter.events / 1000

    return measure


def _driver(task: str, count: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.hotpath", task, str(count)]


def _works(counter: _Counter) -> bool:
    try:
        return _counted(counter, ["true"]) > 0
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def _counted(counter: _Counter, command: Sequence[str]) -> int:
    """The instructions of a whole program; raises `ValueError` where the counter gives none."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "count")
        counting = [part.format(file=file) for part in counter.command]
        subprocess.run(
            [*counting, *command],
            env=environment({"PYTHONHASHSEED": "0"}),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        found = counter.answer.search(file.read_text())
    if not found:
        msg = f"{counter.command[0]} counts nothing here"
        raise ValueError(msg)
    return int(found[1])
