"""A batch of transcriptions beside the script that one writes by hand, and two workers beside one."""

import json
import os
import resource
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clients import OPENAI, RT_RUN
from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import environment, thread_s
from benchmarks.server import server_process

FEW, MANY = 10, 2_010
"""Rows of a run that shows what the start takes, and of one whose other rows are measured."""
HEARD = 210
"""Rows with audio."""
SHARED = 400
"""Rows that workers share."""
CONCURRENCY = 16
LONG_S = 10.0
"""How long a recording is whose audio is measured, in seconds."""
_SHORT_S = 0.1
_RATE = 24_000
_MOST_ROUNDS = 7
_TIMEOUT_S = 300.0
_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{address}/v1"
[auth]
kind = "none"
[session]
type = "transcription"
[session.audio.input]
format = {{ type = "audio/pcm", rate = 24000 }}
transcription = {{ model = "gpt-transcribe" }}
turn_detection = "none"
[input]
kind = "file"
path = "short.wav"
pace = "fast"
[run]
loop = "asyncio"
"""
"""On the same event loop as the script."""

Run = Callable[[str, int], None]
"""Runs so many rows of `short` or `long`."""


class BatchTrial:
    """Rows, recordings and a server, and those who run them.

    Args:
        folder: Where rows, recordings and results are.
        address: The server.
        server_pid: The id of its process.
    """

    def __init__(self, folder: Path, address: str, server_pid: int) -> None:
        self._folder = folder
        self._address = address
        self._server_pid = server_pid
        self._numbers = count()
        (folder / "transcribe.toml").write_text(_PROFILE.format(address=address))
        for name, duration_s in (("short", _SHORT_S), ("long", LONG_S)):
            _write_recording(folder / f"{name}.wav", duration_s)
            for number in (FEW, HEARD, SHARED, MANY):
                rows = (json.dumps({"id": each, "input": {"file": f"{name}.wav"}}) for each in range(number))
                (folder / f"{name}-{number}.jsonl").write_text("\n".join(rows))

    def by_script(self, rows: str, number: int) -> None:
        """Run rows by the script."""
        arguments = [f"{self._address}/v1", f"{rows}-{number}.jsonl", self._results(), str(CONCURRENCY)]
        self._run("benchmarks.transcribing_script", *arguments)

    def by_batch(self, rows: str, number: int, *, workers: int = 1) -> None:
        """Run rows as a batch."""
        flags = ["--concurrency", str(CONCURRENCY), "--workers", str(workers)]
        files = ["./transcribe.toml", f"{rows}-{number}.jsonl", "--results", self._results()]
        self._run("runner", "-q", "batch", *files, *flags)

    def times(self, workers: int) -> Mapping[str, float]:
        """How long a batch takes, and what the endpoint has of that."""
        free = (
            partial(os.sched_setaffinity, 0, range(os.cpu_count() or 1)) if hasattr(os, "sched_setaffinity") else None
        )
        began_s, endpoint_s = time.perf_counter(), thread_s(self._server_pid)
        self._run_batch_on(free, workers)
        return {"wall": time.perf_counter() - began_s, "endpoint": thread_s(self._server_pid) - endpoint_s}

    def _run_batch_on(self, free: Callable[[], None] | None, workers: int) -> None:
        before = os.sched_getaffinity(0) if free else set()
        if free:
            free()
        try:
            self.by_batch("long", SHARED, workers=workers)
        finally:
            if free:
                os.sched_setaffinity(0, before)

    def _results(self) -> str:
        return f"results-{next(self._numbers)}.jsonl"

    def _run(self, module: str, *arguments: str) -> None:
        path = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self._folder,
            env=environment(path),
            stdout=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a neutral server runs on a core of its own where there is one."""
    with TemporaryDirectory() as folder, server_process(server_core) as (pid, (address,)):
        trial = BatchTrial(Path(folder), address, pid)
        opening = "A row of a batch: client CPU of its session without audio"
        audio = f"A row of a batch: client CPU of {LONG_S:g} s of audio"
        parts = [
            Part("opening", opening, "ms", [Claim(RT_RUN, OPENAI, at_most=1.0)]),
            Part("audio", audio, "ms", [Claim(RT_RUN, OPENAI, at_most=1 / 4)]),
        ]
        runs: dict[str, Run] = {RT_RUN: trial.by_batch}
        if find_spec("openai"):
            runs = {OPENAI: trial.by_script, **runs}
        contenders = [Contender(name, partial(_row_ms, run)) for name, run in runs.items()]
        workers = [Contender(f"{number} worker{'s' * (number > 1)}", partial(trial.times, number)) for number in (1, 2)]
        title = f"A batch of {SHARED} rows with {LONG_S:g} s of audio each"
        times = [Part("wall", f"{title}: wall time", "s"), Part("endpoint", f"{title}: the endpoint's CPU", "s")]
        yield [
            Comparison(opening, "", contenders, parts=parts, most_rounds=_MOST_ROUNDS),
            Comparison(title, "", workers, parts=times, most_rounds=_MOST_ROUNDS),
        ]


def _row_ms(run: Run) -> Mapping[str, float]:
    """What a row takes beyond the start of its process."""
    few_s, short_s, long_s = (
        _cpu_s(run, rows, number) for rows, number in (("short", FEW), ("short", MANY), ("long", HEARD))
    )
    opening_s = (short_s - few_s) / (MANY - FEW)
    audio_s = (long_s - few_s - opening_s * (HEARD - FEW)) / HEARD
    return {"opening": opening_s * 1000, "audio": audio_s * 1000}


def _cpu_s(run: Run, rows: str, number: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(rows, number)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write_recording(path: Path, duration_s: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        size_bytes = round(duration_s * _RATE) * 2
        file.writeframes((bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes])
