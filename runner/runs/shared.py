"""The things that the runs of a process share."""

from dataclasses import dataclass

import anyio

from runner.inputs.broadcast import Broadcast
from runner.outputs.standard_output import StandardOutput
from runner.runs.face import Face


@dataclass(frozen=True)
class Shared:
    """The things that the runs of a process share."""

    runs: int
    """How many runs there are."""
    stdin: Broadcast
    stdout: StandardOutput
    opening: anyio.Semaphore
    """Held by a run while it opens its files."""
    connecting: anyio.Semaphore
    """Held by each attempt to connect."""
    flush_least_s: float
    """How long a run's outputs may at least take to write what has come, however short its grace period, in seconds."""
    face: Face | None = None
    """What somebody at the terminal sees of the only run there is."""
