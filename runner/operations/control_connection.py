"""One client of the control socket: its requests are taken in order, and answered as they are done."""

from __future__ import annotations

import os
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from runner import __version__, logs
from runner.connect.changes import Changes
from runner.operations.control_commands import carry_out, meant_runs
from runner.operations.control_protocol import (
    MAX_BAD_LINES,
    MAX_LINE_BYTES,
    MAX_REQUESTS,
    PROTOCOL,
    RequestRefused,
)
from runner.operations.control_requests import read_request, request_id
from runner.operations.line_socket import ClientLost, LineSocket, LineTooLong
from runner.operations.run_status import KnownState
from runner.protocol.json_text import dumps
from runner.redaction import redact
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    import socket

    from runner.operations.control_requests import AnyRequest
    from runner.operations.controllable import ControllableFleet

_LOOK_S = 1.0
"""How often to look whether a client that writes nothing more still reads, in seconds."""


class ControlConnection:
    """Serves one client until it goes.

    Args:
        connection: A connected stream socket, which does not block.
        fleet: The sessions of the process.
    """

    def __init__(self, connection: socket.socket, fleet: ControllableFleet) -> None:
        self._socket = LineSocket(connection, self._told)
        self._fleet = fleet
        self._slots = anyio.Semaphore(MAX_REQUESTS, fast_acquire=True)
        self._changes = Changes()
        self._state: KnownState | None = None
        self._asked, self._answered = b"", b""
        """The line that asked for the state last, and the answer to it: who looks again asks the same."""

    async def serve(self) -> None:
        """Greet the client, and serve it; it never raises for what the client does."""
        try:
            with suppress(ClientLost):
                await self._socket.write(_line(_greeting(self._fleet)))
                async with body_task_group() as tasks:
                    await self._take_lines(tasks)
                    # A client that has finished writing may go on to read what it has asked for.
                    while self._slots.value < MAX_REQUESTS and not self._socket.is_abandoned:
                        with anyio.move_on_after(_LOOK_S):
                            await self._changes.next()
        finally:
            self._socket.close()

    async def _take_lines(self, tasks: anyio.abc.TaskGroup) -> None:
        try:
            await self._take_requests(tasks)
        except LineTooLong:
            refusal = RequestRefused("bad-request", f"a line is longer than {MAX_LINE_BYTES} bytes")
            await self._refuse(None, refusal)

    async def _take_requests(self, tasks: anyio.abc.TaskGroup) -> None:
        bad = 0
        async with aclosing(self._socket.lines()) as lines:
            async for line in lines:
                try:
                    request = read_request(line)
                    bad = 0
                except RequestRefused as refusal:
                    await self._refuse(request_id(line), refusal)
                    bad += 1
                    if bad == MAX_BAD_LINES:
                        return
                    continue
                if request.command == "status":
                    await self._socket.write(self._look(line + b"\n", request))
                else:
                    await self._slots.acquire()
                    tasks.start_soon(self._carry_out, request, tasks.cancel_scope)

    def _told(self, line: bytes) -> bytes | None:
        """The answer to what is one whole line and only asks for the state, None for anything else."""
        if self._is_known(line):
            return self._answered
        if line.find(b"\n") != len(line) - 1 or b'"status"' not in line:
            return None
        try:
            request = read_request(line[:-1])
        except RequestRefused:
            return None
        return self._look(line, request) if request.command == "status" else None

    def _is_known(self, line: bytes) -> bool:
        return line == self._asked and self._state is not None and self._state.holds()

    def _look(self, line: bytes, request: AnyRequest) -> bytes:
        """The answer to a request for the state."""
        if self._is_known(line):
            return self._answered
        self._asked, self._state = line, KnownState(meant_runs(self._fleet, request))
        self._answered = b'{"id":%b,"ok":true,"result":%b}\n' % (dumps(request.id).encode(), self._state.json)
        return self._answered

    async def _carry_out(self, request: AnyRequest, client: anyio.CancelScope) -> None:
        try:
            try:
                result = await carry_out(self._fleet, request, partial(self._answer, request))
            except RequestRefused as refusal:
                await self._refuse(request.id, refusal)
            except ClientLost:
                raise
            except Exception:  # noqa: BLE001  # whatever it is, it is ours, and no session shall suffer from it
                logs.logger().exception("internal_error")
                await self._refuse(request.id, RequestRefused("refused", "a bug in rt-run, which the log traces"))
            else:
                await self._answer(request, {"ok": True, "result": result})
        except ClientLost:
            client.cancel()
        finally:
            self._slots.release()
            self._changes.notify()

    async def _answer(self, request: AnyRequest, message: dict[str, Any]) -> None:
        await self._socket.write(_line({"id": request.id, **message}))

    async def _refuse(self, request: Any, refusal: RequestRefused) -> None:
        error = {"code": refusal.code, "message": redact(refusal.message), "hint": redact(refusal.hint)}
        shown = {name: text for name, text in error.items() if text}
        await self._socket.write(_line({"id": request, "ok": False, "error": shown}))


def _greeting(fleet: ControllableFleet) -> dict[str, Any]:
    """The line by which a client knows whom it talks to."""
    profiles = list(dict.fromkeys(each.context["profile"] for each in fleet.runs))
    return {"rt_run": __version__, "protocol": PROTOCOL, "pid": os.getpid(), "profiles": profiles}


def _line(message: dict[str, Any]) -> bytes:
    return dumps(message).encode() + b"\n"
