"""The socket by which `rt-run ctl` talks to a running process."""

from runner.api.strict import Section
from runner.settings.output import PathTemplate


class ControlSettings(Section):
    """A Unix socket that only the process's own user can open; `rt-run ctl` speaks to the session through it."""

    enabled: bool = True
    """Whether there is one; a process has one for all of its sessions."""
    path: PathTemplate | None = None
    """The socket; may contain the placeholders of an output's path; by default `{profile}-{run_id}.sock` in
    `$RUNTIME_DIRECTORY`, else in `$XDG_RUNTIME_DIR/rt-run`."""
