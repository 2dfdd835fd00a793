"""The things that the runs of a process share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from runner.inputs.broadcast import Broadcast
from runner.inputs.factory import make_input
from runner.inputs.session_input import SessionInput
from runner.outputs.standard_output import StandardOutput
from runner.runs.face import Face

if TYPE_CHECKING:
    from runner.session.state_place import StatePlace
    from runner.settings.profile import Profile
    from runner.tools.profile_tools import MakeSources
    from runner.tools.shared_servers import SharedServers


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
    servers: "SharedServers | None" = None
    """The MCP servers that several sessions use, None where there is only one session."""
    row: str = ""
    """What `{row}` stands for in paths; without it the number of the run."""
    keeps_words: bool = False
    """Whether what is said in words reaches somebody besides the outputs."""

    is_fresh: bool = False
    """Whether sessions begin anew though earlier processes have left some."""

    def state_of(self, profile: "Profile", names: Mapping[str, str]) -> "StatePlace | None":
        """Where the session of a run is written down; `names` are the values of the placeholders in its paths."""
        if profile.run.resume is None:
            return None
        from runner.session.state_place import state_place

        return state_place(profile, names, is_fresh=self.is_fresh)

    def input_of(self, profile: "Profile", *, save_as: str) -> SessionInput:
        """The input of a run.

        Args:
            profile: The run's profile.
            save_as: The name of the file that a chat is saved in where its user gives none.
        """
        screen = self.face.screen if self.face else None
        alone = self.runs == 1
        return self.input or make_input(profile, self.stdin, is_alone=alone, screen=screen, save_as=save_as)
