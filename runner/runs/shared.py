"""What all runs of a process have in common."""

from dataclasses import dataclass

import anyio

from runner.inputs.broadcast import Broadcast
from runner.outputs.standard_output import StandardOutput


@dataclass(frozen=True)
class Shared:
    """What all runs of a process have in common."""

    runs: int
    """How many there are."""
    stdin: Broadcast
    stdout: StandardOutput
    opening: anyio.Semaphore
    """Held by whoever opens its files."""
    connecting: anyio.Semaphore
    """Held by each attempt to connect."""
