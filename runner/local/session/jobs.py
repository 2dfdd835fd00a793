"""Slow work of a session: done in a worker thread, its outcome taken back into the session."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from runner.local.session.server_event import ServerEvent

Settle = Callable[[], list[ServerEvent]]
"""Takes an outcome into the session and returns the events that come of it."""

Engine = Literal["detector", "transcriber", "brain", "voice"]


@dataclass(frozen=True)
class Job:
    """Something that takes time.

    Args:
        engine: Whose work it is.
        work: Called in a worker thread; it must not touch the session, and does not raise.
    """

    engine: Engine
    work: Callable[[], Settle]
