"""The plan of the faults: which of them are injected into which connection, and when."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from typing_extensions import TypeIs

from runner import logs

if TYPE_CHECKING:
    from runner.settings.faults import (
        AnyFault,
        AnySessionFault,
        DelayedFault,
        DriftFault,
        ExpireFault,
        RefuseFault,
        RefuseUpdateFault,
        ResponseFailedFault,
        SilentFault,
        SlowFault,
    )


@dataclass(eq=False)
class PlannedFault:
    """A fault, and into how many more connections it may be injected."""

    fault: AnyFault
    left: float


class FaultPlan:
    """Counts the connections to one application, and plans the faults of each.

    Args:
        faults: The faults of the settings; of those that are due at once, the first comes first.
        seed: The seed of their `chance`, or None for another outcome each time.
    """

    def __init__(self, faults: Sequence[AnyFault], seed: int | None = None) -> None:
        self._planned = [PlannedFault(fault, fault.times or math.inf) for fault in faults]
        self._random = random.Random(seed)  # noqa: S311  # which test goes wrong is no secret
        self._connections = 0

    def next_connection(self) -> ConnectionFaults:
        """A connection has begun; returns the faults that are planned for it."""
        self._connections += 1
        likely = [each for each in self._planned if self._random.random() < each.fault.chance]
        possible = [each for each in likely if each.fault.first <= self._connections]
        return ConnectionFaults(self._connections, possible)


class ConnectionFaults:
    """The faults that are planned for one connection; each is logged when it is injected, and used up.

    Args:
        number: The number of the connection to the application, counted from 1.
        possible: The faults, shared with other connections.
    """

    def __init__(self, number: int, possible: Sequence[PlannedFault] = ()) -> None:
        self.number = number
        self._possible = list(possible)
        self._injected: list[AnyFault] = []
        self._failures = 0

    @overload
    def claim(self, kind: Literal["delay"]) -> DelayedFault | None: ...
    @overload
    def claim(self, kind: Literal["drift"]) -> DriftFault | None: ...
    @overload
    def claim(self, kind: Literal["expire"]) -> ExpireFault | None: ...
    @overload
    def claim(self, kind: Literal["refuse"]) -> RefuseFault | None: ...
    @overload
    def claim(self, kind: Literal["refuse-update"]) -> RefuseUpdateFault | None: ...
    @overload
    def claim(self, kind: Literal["response-failed"]) -> ResponseFailedFault | None: ...
    @overload
    def claim(self, kind: Literal["silent"]) -> SilentFault | None: ...
    @overload
    def claim(self, kind: Literal["slow"]) -> SlowFault | None: ...
    def claim(self, kind: str) -> Any:
        """The fault of a kind that is injected into this connection; each call returns the same one."""
        for fault in self._injected:
            if fault.kind == kind:
                return fault
        for each in self._possible:
            if each.fault.kind == kind and self._inject(each):
                return each.fault
        return None

    def next_failure(self) -> ResponseFailedFault | None:
        """The fault of the next response, if it has one."""
        fault = self.claim("response-failed")
        if fault is None or (fault.responses and self._failures >= fault.responses):
            return None
        self._failures += 1
        return fault

    def due(self, *, events: int, age_s: float) -> Iterator[AnySessionFault]:
        """The faults that are due, each once; a fault is injected only once the caller iterates over it.

        Args:
            events: How many server events the endpoint has sent.
            age_s: The time since the handshake, in seconds.
        """
        for each in tuple(self._possible):
            if _is_within(each.fault) and _is_due(each.fault, events, age_s) and self._inject(each):
                yield each.fault

    def due_times_s(self) -> list[float]:
        """The times at which faults may be due, in seconds after the handshake, the earliest first."""
        faults = (each.fault for each in self._possible)
        return sorted({fault.after_s for fault in faults if _is_within(fault) and fault.after_s})

    def _inject(self, planned: PlannedFault) -> bool:
        if not planned.left or planned not in self._possible:
            return False
        planned.left -= 1
        self._possible.remove(planned)
        self._injected.append(planned.fault)
        logs.logger().info("fault_injected", kind=planned.fault.kind, connection=self.number, simulated=True)
        return True


def _is_within(fault: AnyFault) -> TypeIs[AnySessionFault]:
    """Whether a fault has its moment in the middle of a session."""
    return hasattr(fault, "moment_events")


def _is_due(fault: AnySessionFault, events: int, age_s: float) -> bool:
    if fault.after_s is not None:
        return age_s >= fault.after_s
    return fault.moment_events is not None and events >= fault.moment_events
