"""`python -m benchmarks.hotpath TASK COUNT`: so many events through rt-run with no network below, to be counted."""

import base64
import itertools
import json
import sys
from collections.abc import Callable, Iterable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from benchmarks.answers import AUDIO_BYTES, answer, greeting, live, live_audio
from runner.connect.pushed_stream import PushedStream
from runner.connect.websocket import WebSocket
from runner.protocol.effects import AudioDelta
from runner.protocol.state import SessionState
from runner.session.carriage import Carriage
from runner.session.link import Link
from runner.session.outbox import Outbox
from runner.session.session import Session
from runner.session.steady_stream import SteadyStream
from runner.session.update import Update

_PCM = bytes(range(240)) * (AUDIO_BYTES // 240)
_STARTED, _AUDIO = answer("audio", 1)[0], answer("audio", 1)[3]
_TEXT = answer("text", 1)[3]
_AUDIO_HEADER_BYTES = 4


class _Stream(PushedStream):
    """A connection that hands on one frame at a time and forgets what is sent."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's interface
        return b""

    def put(self, data: bytes) -> None:
        pass

    @property
    def waiting_bytes(self) -> int:
        return 0

    async def settled(self) -> None:
        pass

    async def release(self) -> None:
        self._end()

    async def _begin(self, tasks: TaskGroup) -> None:
        pass

    def play(self, frames: Iterable[bytes]) -> None:
        """Hand on all frames, as a loop's transport would."""
        assert self._listener
        for frame in frames:
            self._listener.data_received(frame)


class _Hurried(SteadyStream):
    """The stream of a Live session that is as long ahead of its time as it is given audio."""

    async def room(self, size_bytes: int) -> None:
        await super().room(size_bytes)
        self._until_s = 0.0


async def _session(
    frames: Iterable[bytes], reader: Callable[[Update], None], appended: int, *, is_live: bool = False
) -> None:
    """Take in all frames, then append audio so often: all that this program knows of rt-run's inside."""
    stream = _Stream()
    async with WebSocket(stream) as connection:
        carriage = Carriage(anyio.current_time(), [reader])
        outbox = Outbox(carriage, max_audio_age_s=0)
        session, state = Session(carriage, outbox), SessionState(kind="live" if is_live else "realtime")
        link = Link(connection, state, carriage.changes, lost=_lose, epoch=1)
        carriage.carry(link)
        await link.pump.listen()
        if is_live:
            outbox.steady = _Hurried(carriage)
            stream.play((live("session.started"),))
        else:
            stream.play((greeting("session.created"), greeting("session.updated"), _STARTED))
        stream.play(frames)
        for _ in range(appended):
            await session.append_audio(_PCM)
        await stream.release()


def _lose(_link: Link) -> None:
    """Learn that the connection has ended."""


def _decode(update: Update) -> None:
    for effect in update.effects:
        if isinstance(effect, AudioDelta):
            effect.decode()


def _ignore(update: Update) -> None:
    """What a reader does that has no use for an event."""


def yardstick(count: int) -> None:
    """The least that the standard library takes for an audio delta: JSON and base64."""
    for frame in itertools.repeat(_AUDIO, count):
        base64.b64decode(json.loads(frame[_AUDIO_HEADER_BYTES:])["delta"])


def decoded(count: int) -> None:
    """Audio deltas become PCM."""
    anyio.run(_session, itertools.repeat(_AUDIO, count), _decode, 0)


def undecoded(count: int) -> None:
    """Audio deltas come that nobody decodes."""
    anyio.run(_session, itertools.repeat(_AUDIO, count), _ignore, 0)


def text(count: int) -> None:
    """Text deltas come."""
    anyio.run(_session, itertools.repeat(_TEXT, count), _ignore, 0)


def sent(count: int) -> None:
    """Audio is appended, 100 ms at a time."""
    anyio.run(_session, (), _ignore, count)


def live_decoded(count: int) -> None:
    """Audio deltas of a Live session become PCM."""
    anyio.run(partial(_session, is_live=True), itertools.islice(itertools.cycle(live_audio()), count), _decode, 0)


def live_sent(count: int) -> None:
    """Audio is appended in a Live session, 100 ms at a time."""
    anyio.run(partial(_session, is_live=True), (), _ignore, count)


TASKS: dict[str, Callable[[int], None]] = {
    each.__name__: each for each in (yardstick, decoded, undecoded, text, sent, live_decoded, live_sent)
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](int(sys.argv[2]))
