"""Where the time of a received event goes: the steps from its frame to its reader, each with those before it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pydantic_core import from_json

from benchmarks.answers import answer, event
from benchmarks.measure import Comparison, Contender
from runner.connect.changes import Changes
from runner.connect.frames import FrameReader
from runner.protocol.effects import AudioDelta
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.session.pump import Pump
from runner.session.update import Update

_EVENTS = 20_000
_READ_BYTES = 256 * 1024
_DELTA = 3
"""Which frame of an answer is its first delta; those before it announce what it belongs to."""
_LIMIT_BYTES = 1 << 24


@contextmanager
def comparisons(_server_core: int | None) -> Iterator[list[Comparison]]:
    """One comparison for each kind of delta; nothing is served, all of it happens in this process."""
    yield [
        Comparison(
            f"Steps of a received {kind} delta, each with those before it",
            "µs an event",
            [Contender(name, partial(_taken_us, kind, step)) for name, step in steps.items()],
        )
        for kind, steps in (("text", _TEXT), ("audio", _AUDIO))
    ]


def _taken_us(kind: str, step: Callable[[], Callable[[bytes], object]]) -> float:
    frames = answer(kind, 1)
    reads = _cut(frames[_DELTA] * _EVENTS)
    take, reader = step(), FrameReader(_LIMIT_BYTES)
    for message in reader.feed(event("session.created", session={"id": "s"}) + b"".join(frames[:_DELTA])):
        assert isinstance(message, bytes)
        take(message)
    started_s = time.process_time()
    for read in reads:
        for message in reader.feed(read):
            take(message)  # type: ignore[arg-type]  # the frames are all text
    return (time.process_time() - started_s) / _EVENTS * 1e6


def _cut(data: bytes) -> list[bytes]:
    return [data[start : start + _READ_BYTES] for start in range(0, len(data), _READ_BYTES)]


def _frames() -> Callable[[bytes], object]:
    return len


def _json() -> Callable[[bytes], object]:
    return from_json


def _state() -> Callable[[bytes], object]:
    state = SessionState()
    return lambda message: receive(state, from_json(message))


def _session(reader: Callable[[Update], None]) -> Callable[[], Callable[[bytes], object]]:
    def step() -> Callable[[bytes], object]:
        connection: Any = None  # to take in a message needs none
        return Pump(connection, SessionState(), Changes(), readers=[reader], ended=_end, dialect=None).take

    return step


def _end() -> None:
    """Learn that nothing more will come."""


def _ignore(_update: Update) -> None:
    """Read nothing."""


def _decode(update: Update) -> None:
    for effect in update.effects:
        if isinstance(effect, AudioDelta):
            effect.decode()


_TEXT = {"frames": _frames, "JSON": _json, "state": _state, "a reader": _session(_ignore)}
_AUDIO = {**_TEXT, "PCM": _session(_decode)}
