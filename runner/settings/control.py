"""The socket by which `rt-run ctl` talks to a running process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runner.api.strict import Section
from runner.settings.output import PathTemplate

LONGEST_SOCKET_BYTES: Final = 107
"""What the address of a Unix socket holds, in bytes."""


def runtime_folder(environ: Mapping[str, str]) -> Path | None:
    """Where sockets are by default, None where the environment names no place."""
    if given := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    if given := environ.get("XDG_RUNTIME_DIR", ""):
        return Path(given) / "rt-run"
    return None


class ControlSettings(Section):
    """A Unix socket that only the process's own user can open; `rt-run ctl` speaks to the session through it."""

    enabled: bool = True
    """Whether there is one; a process has one for all of its sessions."""
    path: PathTemplate | None = None
    """The socket; may contain the placeholders of an output's path; by default `{profile}-{run_id}.sock` in
    `$RUNTIME_DIRECTORY`, else in `$XDG_RUNTIME_DIR/rt-run`."""
