"""What the processes have in common that are measured."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """An environment without proxies, keys and settings of whoever runs this, but for these variables."""
    return {**{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, **more}


@contextmanager
def endpoint(*arguments: str, core: int | None = None) -> Iterator[str]:
    """The local endpoint as a process of its own, with more arguments and on this core; yields its base URL."""
    command = [sys.executable, "-m", "runner", "serve-local", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        try:
            if core is not None:
                os.sched_setaffinity(server.pid, {core})
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def thread_s(pid: int) -> float:
    """The time that the main thread of a process has had a core for, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
