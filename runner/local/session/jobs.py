"""The slow work of a session: a worker thread does it, and the session takes its outcome over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from runner.local.session.server_event import ServerEvent

Settle = Callable[[], list[ServerEvent]]
"""Takes the outcome of a job over into the session; returns the events that follow from it."""

Engine = Literal["detector", "transcriber", "brain", "voice"]


@dataclass(frozen=True)
class Job:
    """Slow work of one engine.

    Args:
        engine: The engine that does the work.
        work: Called in a worker thread; it does not touch the session, and does not raise.
    """

    engine: Engine
    work: Callable[[], Settle]
