"""The health of a process: whether it lives, and whether it is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anyio

if TYPE_CHECKING:
    from runner.operations.observed import ObservedFleet, ObservedRun


class Health(NamedTuple):
    """An answer to whoever asks."""

    is_well: bool
    reasons: list[str]
    """A line for each session that is not well."""


def liveness(fleet: ObservedFleet) -> Health:
    """Whether a restart would not help: the event loop turns, or nothing would be said, and connections are minded."""
    dead = [_named(run, "nobody minds its connection") for run in fleet.runs if run.whereabouts.is_unminded]
    return Health(len(dead) < len(fleet.runs), dead)


def readiness(fleet: ObservedFleet, *, grace_s: float) -> Health:
    """Whether every session is configured, and connected or not for long without a connection; one that ends is not.

    Args:
        fleet: The sessions.
        grace_s: How long one may be without a connection, in seconds.
    """
    now_s = anyio.current_time()
    running = [run for run in fleet.runs if run.phase != "ended"]
    waiting = [_named(run, run.status) for run in running if not _is_ready(run, now_s, grace_s)]
    return Health(bool(running) and not waiting, waiting or ["all sessions have ended"] * (not running))


def _is_ready(run: ObservedRun, now_s: float, grace_s: float) -> bool:
    since_s = run.whereabouts.between_since_s
    return run.phase == "live" and (since_s is None or now_s - since_s <= grace_s)


def _named(run: ObservedRun, text: str) -> str:
    return f"{run.context['profile']} {run.number}: {text}"
