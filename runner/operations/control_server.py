"""The control socket of a process, served beside its sessions."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner import logs
from runner.operations.control_connection import ControlConnection
from runner.operations.control_protocol import MAX_CLIENTS, line_of
from runner.operations.control_socket import listening, socket_path
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from runner.operations.controllable import ControllableFleet
    from runner.settings.control import ControlSettings

_PAUSE_S = 0.1
"""How long to wait where a client cannot be accepted, such as for want of file descriptors, in seconds."""


@asynccontextmanager
async def controlled(fleet: ControllableFleet, settings: ControlSettings) -> AsyncIterator[None]:
    """Serve the control socket for the length of the block.

    Args:
        fleet: The sessions of the process.
        settings: Where the socket is.

    Raises:
        RunnerError: The socket cannot be made.
    """
    path = socket_path(settings, fleet.runs[0].names, os.environ)
    with listening(path) as listener:
        logs.logger().debug("control_listening", path=str(path))
        clients: set[socket.socket] = set()
        try:
            async with body_task_group() as tasks:
                tasks.start_soon(_accept, listener, fleet, clients, tasks)
                yield
        finally:
            # One whose task was cancelled before it began is still open.
            for each in clients:
                each.close()


async def _accept(
    listener: socket.socket, fleet: ControllableFleet, clients: set[socket.socket], tasks: anyio.abc.TaskGroup
) -> None:
    while True:
        await anyio.wait_readable(listener)
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue
        except OSError as error:
            logs.logger().warning("control_refused", error=str(error))
            await anyio.sleep(_PAUSE_S)
            continue
        connection.setblocking(False)
        if len(clients) < MAX_CLIENTS:
            clients.add(connection)
            tasks.start_soon(_serve, connection, fleet, clients)
        else:
            _turn_away(connection)


async def _serve(connection: socket.socket, fleet: ControllableFleet, clients: set[socket.socket]) -> None:
    try:
        await ControlConnection(connection, fleet).serve()
    finally:
        clients.discard(connection)


def _turn_away(connection: socket.socket) -> None:
    error = {"code": "too-many", "message": f"there are {MAX_CLIENTS} clients"}
    with connection:
        try:
            connection.send(line_of({"ok": False, "error": error}))
        except OSError:
            return
