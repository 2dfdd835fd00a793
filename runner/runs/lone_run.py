"""Runs that stand by themselves: nobody sits before them, and they share nothing with other runs but the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import anyio

from runner.inputs.broadcast import Broadcast
from runner.inputs.stdin import STDIN
from runner.outputs.standard_output import StandardOutput
from runner.runs.shared import Shared

if TYPE_CHECKING:
    from runner.settings.profile import Profile

_FLUSH_LEAST_S: Final = 5.0


def lone_profile(profile: Profile, *, until: Literal["input-end", "response-done"], **changes: Any) -> Profile:
    """The profile of a run that stands by itself: one session, which ends by itself, and which nobody minds.

    No other process goes on with it.

    Args:
        profile: The profile.
        until: When the session ends, as `run.until` says it.
        changes: What else is other, by the keys of the profile.
    """
    run = profile.run.model_copy(update={"until": until, "sessions": 1, "resume": None})
    return profile.model_copy(update={**dict.fromkeys(("control", "http", "traces")), "run": run, **changes})


def lone_shared(*, slots: anyio.Semaphore | None = None, **given: Any) -> Shared:
    """What runs have that share nothing but the machine: no standard input, and nothing goes to standard output.

    Args:
        slots: Held while one opens its files, and by each attempt to connect, where many must not do so at once.
        given: More of `Shared`.
    """
    slots = slots or anyio.Semaphore(1)
    return Shared(
        runs=1,
        stdin=Broadcast(STDIN, max_line_bytes=0),
        stdout=StandardOutput(is_shared=False),
        opening=slots,
        connecting=slots,
        flush_least_s=_FLUSH_LEAST_S,
        **given,
    )
