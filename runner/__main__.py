"""The command `rt-run`; also `python -m runner`."""

import codecs
import contextlib
import os
import signal
import sys
from types import FrameType

_THREAD_END_S = 0.3


def _leave(number: int, _frame: FrameType | None) -> None:
    # Not an exception: whatever is being imported could swallow it. A run that has not begun has nothing to drain.
    begins_run = any(argument.startswith(("-p", "--profile")) for argument in sys.argv[1:])
    os._exit(0 if number == signal.SIGTERM and begins_run else 128 + number)


# A PID 1 would ignore these signals until somebody handles them.
signal.signal(signal.SIGTERM, _leave)
signal.signal(signal.SIGINT, _leave)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _complete_streams()
    try:
        from runner.cli.main import run
        from runner.unused_imports import leave_out

        leave_out()
        code = run(sys.argv[1:])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    # The run is over: a signal that comes now must not change how it went.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end(code)


def _complete_streams() -> None:
    """Stand in for standard streams that were closed, or the next file or socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if sys.stdout.errors in {"strict", "surrogateescape"}:
        codecs.register_error("rt-run-escape", _escape)
        # Where it was made another file since it was opened, Python cannot tell its place.
        with contextlib.suppress(OSError):
            sys.stdout.reconfigure(errors="rt-run-escape")  # type: ignore[union-attr]  # it is what Python has opened


def _escape(error: UnicodeError) -> tuple[str, int]:
    """A letter that standard output does not take, as JSON and people read it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(f"\\u{each:04x}" for each in pairs), error.end


def _end(code: int) -> None:
    import threading

    if "runner.logs" in sys.modules:
        from runner import logs

        logs.finish()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _discard(stream.fileno())
        except OSError as error:
            _discard(stream.fileno())
            code = code or 74
            sys.stderr.write(f"rt-run: standard output cannot be written: {error.strerror}\n")
    threads = [each for each in threading.enumerate() if each is not threading.current_thread() and not each.daemon]
    for thread in threads:
        # Most are just about to end; only one that hangs, in a write say, would keep the process for ever.
        thread.join(_THREAD_END_S / len(threads))
    if any(thread.is_alive() for thread in threads):
        os._exit(code)
    sys.exit(code)


def _discard(descriptor: int) -> None:
    """Let what is left go nowhere, or the interpreter would try again, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


if __name__ == "__main__":
    main()
