"""The runs of a fleet with their control socket, in the test's own process and without its signals."""

import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from runner.operations.control_client import ControlClient
from runner.operations.control_server import controlled
from runner.profile import LoadedProfile
from runner.profile.origins import Origins
from runner.profile.session_source import Fallback
from runner.runs.fleet import Fleet
from runner.settings.control import ControlSettings
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S, confirm, reached
from tests.helpers.peer import Peer, profile_for

NAME = "support"
T = TypeVar("T")


class Controlled:
    """The runs, and ways to talk to them.

    Args:
        fleet: The runs.
        path: Their control socket.
    """

    def __init__(self, fleet: Fleet, path: Path) -> None:
        self.fleet = fleet
        self.path = path

    async def connected(self) -> socket.socket:
        """A connection to the socket, past the greeting."""

        def connect() -> socket.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE_S)
            connection.connect(str(self.path))
            while not connection.recv(1).endswith(b"\n"):
                pass
            return connection

        return await in_thread(connect)

    async def request(self, command: str, **fields: Any) -> Any:
        """The result of a request; raises what it is refused with."""

        def ask() -> Any:
            with ControlClient(self.path) as client:
                return client.request(command, **fields)

        return await in_thread(ask)


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """What a function returns that blocks."""
    return await anyio.to_thread.run_sync(partial(call, *arguments), abandon_on_cancel=True)


def answers(connection: socket.socket, number: int) -> list[Any]:
    """So many lines of a connection."""
    with connection.makefile("rb") as lines:
        return [json.loads(lines.readline()) for _ in range(number)]


@asynccontextmanager
async def controlled_runs(
    folder: Path,
    *profiles: Profile,
    names: Sequence[str] = (NAME,),
    file: str = "control.sock",
    waits: bool = True,
    fallbacks: Sequence[Fallback] = (),
) -> AsyncIterator[Controlled]:
    """Runs of these profiles that are open, with a control socket in this folder.

    Args:
        folder: An empty folder.
        profiles: The profiles; nothing may go to standard output.
        names: Their names.
        file: The name of the socket.
        waits: Whether to wait until all sessions are open.
        fallbacks: The profiles that take over where one of theirs fails.
    """
    loaded = [
        LoadedProfile(profile, name, folder / f"{name}.toml", Origins({}), fallbacks=tuple(fallbacks))
        for profile, name in zip(profiles, names, strict=True)
    ]
    fleet = Fleet(loaded, None, 1.0)
    path = folder / file
    with anyio.fail_after(PATIENCE_S):
        async with controlled(fleet, ControlSettings(path=str(path))), anyio.create_task_group() as tasks:
            tasks.start_soon(fleet.reloads.run)
            for run in fleet.runs:
                tasks.start_soon(run.execute)
            if waits:
                await reached(lambda: all(run.phase == "live" for run in fleet.runs))
            yield Controlled(fleet, path)
            tasks.cancel_scope.cancel()


def for_ever(port: int, **tables: Any) -> Profile:
    """A profile for a server on a loopback port, whose session lives until it is closed, and writes nowhere."""
    return profile_for(port, **{"input": {"kind": "none"}, "outputs": [], **tables})


async def obliging(peer: Peer) -> None:
    """Greet, confirm all that is not forbidden or gone, and answer what is asked; an answer to be held is not ended."""
    await peer.greet()
    held = ""
    while (event := await peer.event()) is not None:
        if "forbidden" in json.dumps(event):
            error = {"type": "invalid_request_error", "message": "That is forbidden.", "event_id": event["event_id"]}
            await peer.send({"type": "error", "event_id": "e", "error": error})
            continue
        match event:
            case {"type": "response.create", "response": {"instructions": "held"}}:
                await peer.answer("words", response_id=event["event_id"], item_id=f"of_{event['event_id']}", end=False)
                held = event["event_id"]
            case {"type": "response.cancel"}:
                await peer.end("words", response_id=held, item_id=f"of_{held}", status="cancelled")
            case {"type": "response.create"}:
                await peer.answer("an ", "answer", response_id=event["event_id"], item_id=f"of_{event['event_id']}")
            case {"type": "conversation.item.retrieve", "item_id": item_id} if item_id != "gone":
                await peer.send({"type": "conversation.item.retrieved", "item": {"id": item_id, "type": "message"}})
            case {"type": "conversation.item.truncate"}:
                await peer.send({**event, "type": "conversation.item.truncated"})
            case {"type": "input_audio_buffer.commit"}:
                await peer.send({"type": "input_audio_buffer.committed", "item_id": "heard"})
            case {"type": "input_audio_buffer.clear"}:
                await peer.send({"type": "input_audio_buffer.cleared"})
            case _:
                await confirm(peer, event)
