"""Which of the planned faults befall which connection, and when; nothing here does them."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runner import logs
from runner.settings.faults import AnyFault, AnySessionFault, ConnectionFault, SessionFault

F = TypeVar("F", bound=ConnectionFault)


@dataclass(eq=False)
class PlannedFault:
    """A fault, and how many more connections it may befall."""

    fault: AnyFault
    left: float


class FaultPlan:
    """Counts the connections of one application, and deals the faults out to them.

    Args:
        faults: The script; of faults that are due at once, the first comes first.
        seed: Makes their `chance` fall the same way every time, or None.
    """

    def __init__(self, faults: Sequence[AnyFault], seed: int | None = None) -> None:
        self._planned = [PlannedFault(fault, fault.times or math.inf) for fault in faults]
        self._random = random.Random(seed)  # noqa: S311  # which test goes wrong is no secret
        self._connections = 0

    def next_connection(self) -> "ConnectionFaults":
        """The faults that may befall the connection that begins now."""
        self._connections += 1
        likely = [each for each in self._planned if self._random.random() < each.fault.chance]
        possible = [each for each in likely if each.fault.first <= self._connections]
        return ConnectionFaults(self._connections, possible)


class ConnectionFaults:
    """The faults that may befall one connection; a fault is spent once it happens, and logged.

    Args:
        number: Which connection of the application it is, counted from 1.
        possible: The faults, shared with other connections.
    """

    def __init__(self, number: int, possible: Sequence[PlannedFault] = ()) -> None:
        self.number = number
        self._possible = list(possible)
        self._injected: list[AnyFault] = []

    def claim(self, kind: type[F]) -> F | None:
        """The fault of a kind that befalls this connection: the same one, however often it is asked for."""
        for fault in self._injected:
            if isinstance(fault, kind):
                return fault
        for each in self._possible:
            if isinstance(each.fault, kind) and self._inject(each):
                return each.fault
        return None

    def due(self, *, events: int, age_s: float) -> Iterator[AnySessionFault]:
        """The faults whose moment has come, each once; those that are not iterated over do not happen.

        Args:
            events: The server events that were sent.
            age_s: The time since the handshake, in seconds.
        """
        for each in tuple(self._possible):
            if isinstance(each.fault, SessionFault) and _is_due(each.fault, events, age_s) and self._inject(each):
                yield each.fault

    def moments_s(self) -> list[float]:
        """When, after the handshake and in seconds, a fault may come due by the clock; the earliest first."""
        faults = (each.fault for each in self._possible)
        return sorted({fault.after_s for fault in faults if isinstance(fault, SessionFault) and fault.after_s})

    def _inject(self, planned: PlannedFault) -> bool:
        if not planned.left or planned not in self._possible:
            return False
        planned.left -= 1
        self._possible.remove(planned)
        self._injected.append(planned.fault)
        logs.logger().info("fault_injected", kind=planned.fault.kind, connection=self.number, simulated=True)
        return True


def _is_due(fault: AnySessionFault, events: int, age_s: float) -> bool:
    if fault.after_s is not None:
        return age_s >= fault.after_s
    return fault.moment_events is not None and events >= fault.moment_events
