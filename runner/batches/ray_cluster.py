"""The connection to a Ray cluster: to one that there is, or to one of this machine alone, which ends with it."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.from_thread
import anyio.lowlevel

from runner import redaction
from runner.errors import EndpointUnreachable, ProfileError, RunnerError, UsageError
from runner.installation import install_command
from runner.redaction import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NAMESPACE: Final = "rt-run"
"""Where actors with names are found by all batches of a cluster."""
_ANSWER_S: Final = 10.0
CONNECT_S: Final = 120.0
"""How long Ray may take to start a cluster here, or to connect to another one, in seconds."""
_LEAVE_S: Final = 20.0
_OBJECTS_BYTES: Final = 100_000_000
"""The memory that a cluster of this machine shares; rows and results do not need it."""
_LONGEST_REASON: Final = 500


@asynccontextmanager
async def connected(address: str | None) -> AsyncIterator[None]:
    """Be connected to a cluster for the length of the block; there is one connection in a process.

    Args:
        address: The `host:port` of the cluster's head, or `auto` for the one of this machine; without it, a cluster is
            started here, for this block alone.

    Raises:
        UsageError: This is no address of a cluster.
        ProfileError: Ray is not installed.
        EndpointUnreachable: There is no cluster, or it refuses us.
    """
    if address not in (None, "auto"):
        await _reach(address)
    folder = None if address else tempfile.mkdtemp(prefix="rt-run-ray-", dir="/tmp")  # sockets have short paths
    holder = _Holder(address, folder)
    try:
        await holder.enter()
        yield
    finally:
        with anyio.move_on_after(_LEAVE_S, shield=True):
            await holder.leave()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


class _Holder(threading.Thread):
    """The thread that connects, and lives as long as the connection.

    A cluster that is started here ends with the thread that has started it, and only the main thread's signal handlers
    would be replaced.

    Args:
        address: The address.
        folder: Where a cluster that is started here keeps its files.
    """

    def __init__(self, address: str | None, folder: str | None) -> None:
        super().__init__(name="rt-run ray", daemon=True)
        self._address, self._folder = address, folder
        self._token = anyio.lowlevel.current_token()
        self._is_connected, self._is_over, self._may_leave = anyio.Event(), anyio.Event(), threading.Event()
        self._error: BaseException | None = None

    async def enter(self) -> None:
        """Connect; it may be cancelled."""
        self.start()
        where = f"the Ray cluster {self._address or 'of this machine'}"
        with anyio.move_on_after(CONNECT_S) as connecting:
            await self._is_connected.wait()
        if connecting.cancelled_caught:
            raise EndpointUnreachable(f"{where} has not taken this process within {CONNECT_S:g} s")
        if isinstance(self._error, RunnerError):
            raise self._error
        if self._error is not None:
            raise EndpointUnreachable(f"cannot connect to {where}: {_reason(self._error)}") from None

    async def leave(self) -> None:
        """Disconnect; one that is still connecting is left to the end of the process."""
        self._may_leave.set()
        if self._is_connected.is_set():
            await self._is_over.wait()

    def run(self) -> None:
        """Connect, wait, and disconnect."""
        try:
            _connect(self._address, self._folder)
        except BaseException as error:  # noqa: BLE001  # it is raised where the connection is waited for
            self._error = error
        self._tell(self._is_connected.set)
        self._may_leave.wait()
        with suppress(Exception):
            import ray

            ray.shutdown()
        self._tell(self._is_over.set)

    def _tell(self, event: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            anyio.from_thread.run_sync(event, token=self._token)


def _connect(address: str | None, folder: str | None) -> None:
    if find_spec("ray") is None:
        raise ProfileError("--on ray needs the extra `ray`, which is not installed", hint=install_command("ray"))
    # Of a Ray that is used for rt-run alone, nothing is reported to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What workers log comes here line by line, as it was written.
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_DISABLE_WORKER_LOG_PREFIX", "1")
    options: dict[str, Any] = {"address": address or "local"}
    if address is None:
        # It listens to this machine alone, and to who knows its token.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        if "RAY_AUTH_MODE" not in os.environ:
            os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex()
            redaction.hide(os.environ["RAY_AUTH_TOKEN"])
        options |= {"include_dashboard": False, "object_store_memory": _OBJECTS_BYTES, "_temp_dir": folder}
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(namespace=NAMESPACE, log_to_driver=True, configure_logging=False, **options)


async def _reach(address: str) -> None:
    """See whether anything listens there: Ray itself would try for ever."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and "/" not in host):
        msg = f"--address {address}: is no address of a Ray cluster"
        raise UsageError(msg, hint="HOST:PORT of its head, which is usually port 6379, or `auto`")
    try:
        with anyio.fail_after(_ANSWER_S):
            async with await anyio.connect_tcp(host.strip("[]"), int(port)):
                pass
    except (OSError, TimeoutError):
        msg = f"no Ray cluster answers at {address}"
        raise EndpointUnreachable(msg, hint="the address is HOST:PORT of its head, usually port 6379") from None


def _reason(error: BaseException) -> str:
    return excerpt(" ".join(str(error).split()) or type(error).__name__, _LONGEST_REASON)
