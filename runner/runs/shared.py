"""The things that the runs of a process share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from runner.inputs.broadcast import Broadcast
from runner.inputs.session_input import SessionInput
from runner.outputs.standard_output import StandardOutput
from runner.runs.face import Face

if TYPE_CHECKING:
    from runner.tools.profile_tools import MakeSources


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
    input: SessionInput | None = None
    """What goes into the only run there is, in place of its profile's input."""
    sources: "MakeSources | None" = None
    """Makes the sources of the profile's tools; without it they are what the profile says."""
