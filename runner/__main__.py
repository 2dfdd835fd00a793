"""The command `rt-run`; also `python -m runner`."""

import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(130 if number == signal.SIGINT else 0)


# Nothing is in flight yet, so a signal means that there is nothing to drain; a PID 1 would ignore it otherwise.
signal.signal(signal.SIGTERM, _leave)
signal.signal(signal.SIGINT, _leave)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from runner.cli.main import run

        code = run(sys.argv[1:])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    # The run is over: a signal that comes now must not change how it went.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end(code)


def _end(code: int) -> None:
    import os
    import threading

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Whoever read us has gone. The interpreter would flush again, and complain.
            code = code or 0
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        # A thread that hangs in a write or a prompt would keep the process for ever.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
