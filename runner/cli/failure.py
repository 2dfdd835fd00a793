"""How a failure is shown to people."""

import sys

from runner import redaction
from runner.cli.plain_text import write_plain
from runner.errors import RunnerError


def print_failure(error: RunnerError) -> None:
    """Write what happened, and what to do about it, to standard error."""
    text = f"rt-run: {error.message}\n" + (f"  hint: {error.hint}\n" if error.hint else "")
    write_plain(redaction.redact(text), sys.stderr)
