"""The slow work of a session: somebody else does it, and the session takes its outcome over."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from runner.local.session.server_event import ServerEvent
from runner.local.speech.language_model import ModelRequest
from runner.local.speech.replies import Call

Settle = Callable[[], list[ServerEvent]]
"""Takes the outcome of a job over into the session; returns the events that follow from it."""

Engine = Literal["detector", "transcriber", "voice"]


class Job(NamedTuple):
    """Slow work of one engine.

    Args:
        engine: The engine that does the work.
        work: Called in a worker thread; it does not touch the session, and does not raise.
    """

    engine: Engine
    work: Callable[[], Settle]


class ModelJob(NamedTuple):
    """An answer that the language model writes, part by part; a task waits for it.

    Args:
        request: What the model is asked.
        take: Takes over what the model has written next; returns the events that follow.
        end: The model has stopped, for a reason of chat completions; returns the events that follow.
        fail: The model has failed; returns the events that follow.
        is_over: Whether the session needs nothing more of it, so that the model is to stop.
    """

    request: ModelRequest
    take: Callable[[str | Call], list[ServerEvent]]
    end: Callable[[str], list[ServerEvent]]
    fail: Callable[[Exception], list[ServerEvent]]
    is_over: Callable[[], bool]
