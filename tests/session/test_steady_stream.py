"""The steady stream of a Live session's audio, on a still connection and in virtual time."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from runner.protocol.state import SessionState
from runner.session.carriage import Carriage
from runner.session.outbox import Outbox
from runner.session.steady_stream import FRAME_S, SteadyStream
from tests.helpers.still_connection import StillConnection, still_link
from tests.helpers.virtual_time import in_virtual_time

BYTES_PER_S = 48_000
_JITTER_S = (0.0, 0.012, -0.007, 0.018, -0.015)


@asynccontextmanager
async def streaming(connection: StillConnection) -> AsyncIterator[Outbox]:
    """A Live session whose audio is kept going on this connection."""
    carriage = Carriage(anyio.current_time())
    carriage.carry(await still_link(connection, carriage.changes, state=SessionState(kind="live")))
    outbox = Outbox(carriage, max_audio_age_s=60)
    outbox.steady = SteadyStream(carriage)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.steady.run)
        yield outbox
        tasks.cancel_scope.cancel()


def audio_of(connection: StillConnection) -> list[bytes]:
    """The audio that was sent, piece by piece."""
    return [base64.b64decode(event["audio"]) for event in connection.sent]


def is_spoken(audio: bytes) -> bool:
    """Whether it is a piece of the input, all of whose bytes are the same."""
    return len(set(audio)) == 1


async def spoken(outbox: Outbox, piece_s: float, duration_s: float) -> int:
    """Say something in pieces, each at about its time; returns how many there are."""
    start_s, pieces = anyio.current_time(), round(duration_s / piece_s)
    for number in range(pieces):
        due_s = start_s + number * piece_s + (_JITTER_S[number % len(_JITTER_S)] if number else 0)
        await anyio.sleep_until(due_s)
        await outbox.append_audio(bytes([number % 250 + 1]) * round(piece_s * BYTES_PER_S))
    await anyio.sleep_until(start_s + duration_s)
    return pieces


@pytest.mark.parametrize("piece_s", [0.02, 0.06, 0.1, 0.2])
def test_silence_is_put_where_the_input_has_nothing_and_nowhere_else(piece_s: float) -> None:
    """As long as it speaks there is none, also where its pieces are early or late by some milliseconds."""

    async def talk() -> list[bytes]:
        connection = StillConnection()
        async with streaming(connection) as outbox:
            await anyio.sleep(0.55)
            first = await spoken(outbox, piece_s, 3.0)
            await anyio.sleep(1.05)
            second = await spoken(outbox, piece_s, 2.0)
            await anyio.sleep(0.55)
        assert first + second == sum(is_spoken(each) for each in audio_of(connection))
        return audio_of(connection)

    audio = in_virtual_time(talk)

    turns = "".join("x" if is_spoken(each) else " " for each in audio).split()
    assert [len(each) for each in turns] == [round(3.0 / piece_s), round(2.0 / piece_s)]
    sent_s = sum(map(len, audio)) / BYTES_PER_S
    assert 7.15 - 2 * FRAME_S < sent_s < 7.15 + FRAME_S


def test_each_piece_of_the_input_is_sent_once_and_in_order() -> None:
    """Also where it comes faster than its time, and waits."""

    async def talk() -> list[bytes]:
        connection = StillConnection()
        async with streaming(connection) as outbox:
            for number in range(40):
                await outbox.append_audio(bytes([number + 1]) * 4800)
            assert anyio.current_time() > 0
        return audio_of(connection)

    assert [each[0] for each in in_virtual_time(talk)] == list(range(1, 41))
