"""A process that is ended with SIGKILL at one of its moments, counted, so that a seed can choose any of them.

The moments are those of what comes (each message), of what is written down (before, in the middle of a line, behind it,
before and after it is on the disk), and of what tools do, from when a connection carries the session.
"""

import os
import signal
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

_count = 0
_last = 0
_is_carried = False


def moment() -> None:
    """One of the moments has come."""
    global _count  # one process has one end
    _count += _is_carried
    if _is_carried and _count == _last:
        os.kill(os.getpid(), signal.SIGKILL)


def end_at(last: int) -> None:
    """End this process at its moment of this number, which is never where it is 0."""
    from runner import standard_streams
    from runner.resume import state_file
    from runner.session.carriage import Carriage
    from runner.session.link import Link
    from runner.session.pump import Pump

    global _last  # as above
    _last = last
    take, carry, put_all, fsync = Pump.take, Carriage.carry, standard_streams.put_all, os.fsync

    def carried(carriage: Carriage, link: Link) -> bool:
        global _is_carried  # as above
        _is_carried = True
        return carry(carriage, link)

    def taken(pump: Pump, message: bytes) -> None:
        moment()
        take(pump, message)

    def put(file: FileIO, data: bytes) -> None:
        moment()
        put_all(file, data[: len(data) // 2])
        moment()
        put_all(file, data[len(data) // 2 :])

    def synced(descriptor: int) -> None:
        moment()
        fsync(descriptor)
        moment()

    patched: list[tuple[Any, str, Callable[..., Any]]] = [
        (Pump, "take", taken),
        (Carriage, "carry", carried),
        (state_file, "put_all", put),
        (os, "fsync", synced),
    ]
    for owner, name, function in patched:
        setattr(owner, name, function)


def done(file: Path, what: str) -> None:
    """Note in a file that something was done in the world, which nothing undoes."""
    with file.open("a") as lines:
        lines.write(f"{what}\n")
    moment()
