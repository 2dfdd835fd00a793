"""What makes a process alive, and what makes it ready."""

from typing import Any

import anyio
import pytest

from runner.operations.health import Health, liveness, readiness
from tests.helpers.virtual_time import in_virtual_time


class Whereabouts:
    """A place that is as a test says."""

    place = None
    between_since_s: float | None = None
    is_unminded = False

    def __init__(self) -> None:
        self.followers: list[Any] = []


class Run:
    """A run that is as a test says."""

    session = outputs = profile = None

    def __init__(self, number: int, phase: str = "live", status: str = "open, 0 answers") -> None:
        self.number, self.phase, self.status = number, phase, status
        self.context = {"profile": "support"}
        self.whereabouts = Whereabouts()
        self.readers: list[Any] = []


class Fleet:
    """The runs of a process."""

    def __init__(self, *runs: Run) -> None:
        self.runs: Any = runs


def test_a_process_lives_while_any_connection_is_minded() -> None:
    """One that hangs is named; a restart is due where all do."""
    runs = Run(1), Run(2)
    runs[0].whereabouts.is_unminded = True
    assert liveness(Fleet(*runs)) == Health(True, ["support 1: nobody minds its connection"])
    runs[1].whereabouts.is_unminded = True
    assert not liveness(Fleet(*runs)).is_well


@pytest.mark.parametrize(
    ("phases", "is_well", "reasons"),
    [
        (["live", "live"], True, []),
        (["live", "opening"], False, ["support 2: open, 0 answers"]),
        (["draining", "live"], False, ["support 1: open, 0 answers"]),
        (["live", "ended"], True, []),
        (["ended"], False, ["all sessions have ended"]),
    ],
)
def test_a_process_is_ready_while_all_that_runs_is_open(phases: list[str], is_well: bool, reasons: list[str]) -> None:
    """What is being opened is not, and no more what ends; what has ended does not count."""

    async def ask() -> Health:
        return readiness(Fleet(*(Run(number, phase) for number, phase in enumerate(phases, 1))), grace_s=30)

    assert in_virtual_time(ask) == (is_well, reasons)


def test_a_short_outage_does_not_count() -> None:
    """One that is longer than the grace does, with what the session says of it."""
    run = Run(1, status="reconnecting, attempt 4 of 10: connection refused")

    async def ask() -> list[Health]:
        run.whereabouts.between_since_s = anyio.current_time()
        await anyio.sleep(29)
        early = readiness(Fleet(run), grace_s=30)
        await anyio.sleep(2)
        return [early, readiness(Fleet(run), grace_s=30)]

    assert in_virtual_time(ask) == [(True, []), (False, [f"support 1: {run.status}"])]
