"""A network that is away for seconds: what is said meanwhile, and what the conversation holds afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from runner.session.opening import open_session
from runner.settings.endpoint import LocalEndpoint
from tests.helpers.endpoint_scripts import reached
from tests.helpers.peer import profile_for

CUT_S = 1.2
FRAME = b"\0" * 960
FRAME_S = 0.02
pytestmark = pytest.mark.anyio


class Network:
    """A proxy on the loopback that can be cut: what is open breaks, and nobody gets through."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.is_cut = False
        self._target = target
        self._open: set[anyio.abc.SocketStream] = set()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Carry connections until cancelled."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        self.port = int(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610  # not Django
        task_status.started()
        async with listener:
            await listener.serve(self._carry)

    async def cut(self) -> None:
        """Break everything, and let nothing through any more."""
        self.is_cut = True
        for stream in list(self._open):
            await anyio.aclose_forcefully(stream)

    async def _carry(self, near: anyio.abc.SocketStream) -> None:
        async with near:
            if self.is_cut:
                return
            async with await anyio.connect_tcp("127.0.0.1", self._target) as far, anyio.create_task_group() as tasks:
                self._open |= {near, far}
                tasks.start_soon(self._pass, near, far, tasks.cancel_scope)
                tasks.start_soon(self._pass, far, near, tasks.cancel_scope)
            self._open -= {near, far}

    async def _pass(
        self, source: anyio.abc.SocketStream, target: anyio.abc.SocketStream, scope: anyio.CancelScope
    ) -> None:
        try:
            while True:
                await target.send(await source.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            scope.cancel()


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """The local endpoint on a port, behind a network that can be cut."""
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, LocalApp(LocalEndpoint(kind="local")), "127.0.0.1", 0)
        between = Network(port)
        await tasks.start(between.run)
        yield between
        tasks.cancel_scope.cancel()


def heard_s(answer: str) -> float:
    """How much audio the endpoint says that it heard, to a tenth of a second."""
    return float(answer.removeprefix("I heard ").removesuffix(" s of audio."))


@pytest.mark.parametrize("max_audio_age_s", [0, 0.4, 60])
async def test_speech_during_a_cut_is_kept_as_the_profile_says(max_audio_age_s: float) -> None:
    """Of what is said during a cut and after it, what is young when the connection is back is sent, and no more."""
    reconnect = {"initial_delay_s": 0.1, "max_delay_s": 0.2, "max_attempts": 1000, "max_audio_age_s": max_audio_age_s}
    heard = {"turn_detection": "none"}
    tables = {"session": {"output_modalities": ["text"], "audio": {"input": heard}}, "run": {"reconnect": reconnect}}
    async with network() as between, open_session(profile_for(between.port, **tables)) as session:
        await session.say("Before")
        await session.wait_answered()

        said_s: list[float] = []

        async def speak() -> None:
            said_s.append(anyio.current_time())
            await session.append_audio(FRAME)

        await between.cut()
        await reached(lambda: session.link is None)
        with anyio.fail_after(60):
            until_s = anyio.current_time() + CUT_S
            while anyio.current_time() < until_s:
                # As a microphone does, in real time.
                await speak()
                await anyio.sleep(FRAME_S)
            mended_s, between.is_cut = anyio.current_time(), False
            while session.link is None:
                await speak()
                await anyio.sleep(FRAME_S)
            for _ in range(50):
                await speak()
            await session.send({"type": "input_audio_buffer.commit"})
            sent_s = anyio.current_time()
            await session.respond()
            await session.wait_answered()
            await session.say("After")
            await session.wait_answered()

        before, answer, spoken, told, after, echo = session.state.conversation.items
        assert (before.text, answer.text) == ("Before", "You said: Before")
        assert (spoken.role, spoken.text) == ("user", "")
        assert (after.text, echo.text) == ("After", "You said: After")
        certain, possible = (sum(at_s >= each - max_audio_age_s for at_s in said_s) for each in (sent_s, mended_s))
        assert round(certain * FRAME_S, 1) <= heard_s(told.text) <= round(possible * FRAME_S, 1)
