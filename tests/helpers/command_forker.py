"""A process that has the command imported and forks it, since what a start costs most is its imports."""

import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

COVERED = "TEST_FORKER_COVERED"
"""The variable that says whether the forked processes may be measured."""
_REQUEST_BYTES = 1 << 20
_leave = os._exit
"""Ends a process; coverage puts another function into its place, which saves what was measured first."""
_FILES = 4


def serve(listener: socket.socket) -> None:
    """Fork the command for each request, until nobody is left to make one.

    Args:
        listener: Where those who make requests connect; the first has done so.
    A request is a JSON object (`program`, `arguments`, `folder`, `environment`, `before`, `terminal`, `is_covered`)
    with four files: the standard streams, and a pipe that is told the process's id and how it ended.
    """
    coverage = _prepare(is_covered=bool(os.environ.pop(COVERED, "")))
    # Nobody waits for those that wait for the command.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    channels = [listener.accept()[0]]
    while channels:
        for ready in select.select([listener, *channels], [], [])[0]:
            if ready is listener:
                channels.append(listener.accept()[0])
                continue
            data, files, *_ = socket.recv_fds(ready, _REQUEST_BYTES, _FILES)
            if not data:
                ready.close()
                channels.remove(ready)
                continue
            if os.fork() == 0:
                for each in (listener, *channels):
                    each.close()
                _watch(json.loads(data), files, coverage)
            for file in files:
                os.close(file)


def _prepare(*, is_covered: bool) -> Any:
    """Import all; returns coverage that a forked process need only start, or None."""
    if not is_covered:
        _import_all()
        return None
    imports = _coverage()
    imports.start()
    _import_all()
    imports.stop()
    imports.save()
    os._exit = _leave  # or each forked process would save it once more
    coverage = _coverage()
    coverage.start()
    coverage.stop()
    return coverage


def _coverage() -> Any:
    """Coverage of the program in this process, which is written where pytest's own is."""
    import coverage

    measured = coverage.Coverage(data_suffix=True)
    measured.set_option("run:source", None)  # it would look for what was not run, each time
    measured.set_option("run:include", ["runner/*"])
    measured.set_option("run:patch", ["_exit"])
    measured.set_option("run:disable_warnings", ["no-data-collected"])
    return measured


def _import_all() -> None:
    import runner.__main__

    for module in pkgutil.walk_packages(runner.__path__, "runner."):
        # What needs an extra that is not installed.
        with suppress(ImportError, OSError):
            importlib.import_module(module.name)
    models = BaseModel.__subclasses__()
    for model in models:
        models += model.__subclasses__()
        if model.__module__.startswith("runner."):
            # Else each command would build the validators of those that it uses.
            model.model_rebuild()


def _watch(request: dict[str, Any], files: list[int], coverage: Any) -> None:
    """Start the command, tell its id, and its end as `waitpid` has it; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, report = files
    # A signal that comes in the middle of a fork would be forgotten by Python; so it waits until the command is one.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        os.close(report)
        _become(request, streams, coverage)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for stream in streams:
        os.close(stream)
    os.write(report, pid.to_bytes(4, "little"))
    _, status = os.waitpid(pid, 0)
    os.write(report, status.to_bytes(4, "little"))
    _leave(0)


def _become(request: dict[str, Any], streams: list[int], coverage: Any) -> None:
    from runner.__main__ import main

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if request["terminal"]:
        os.login_tty(os.dup(sys.stdin.fileno()))
    os.chdir(request["folder"])
    if request["is_covered"]:
        coverage.start()
    os.environ.clear()
    os.environ.update(request["environment"])
    program = request["program"]
    sys.argv = [program or "rt-run", *request["arguments"]]
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    exec(request["before"], {})  # noqa: S102  # what a test has written
    code: Any = 1
    try:
        if program:
            runpy.run_path(program, run_name="__main__")
            code = 0
        else:
            main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
            code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        (os._exit if request["is_covered"] else _leave)(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
