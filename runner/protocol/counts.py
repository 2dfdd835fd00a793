"""What the limits of a session count beside its usage."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.protocol.usage import Usage


@dataclass(slots=True)
class Counts:
    """What was counted of a session, over all connections and all processes that it has had."""

    turns: int = 0
    """How many turns were answered."""
    calls: int = 0
    """How many functions were called."""
    errors: int = 0
    """How many responses have failed in a row."""
    lived_s: float = 0.0
    """How long it has lived in earlier processes, in seconds."""
    earlier: Mapping[str, Usage] = field(default_factory=dict)
    """What earlier processes have used, by the names of the providers."""
