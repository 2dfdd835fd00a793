"""A profile → a live session; the one place that puts connection, local endpoint and engine together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from runner.connect.address import address_of
from runner.connect.credentials import credential_headers
from runner.connect.opening import open_websocket
from runner.protocol.preview import from_preview, to_preview
from runner.protocol.session_update import session_update
from runner.session import logbook
from runner.session.engine import MAX_EVENTS_BYTES, Session
from runner.session.pump import Dialect, Reader
from runner.settings.endpoint import AzureEndpoint, LocalEndpoint

if TYPE_CHECKING:
    from runner.connect.websocket import WebSocket
    from runner.profile.load import LoadedProfile
    from runner.settings.profile import Profile

_LOCAL_TIMEOUT_S = 10.0
_FAREWELL_S = 2.0


@asynccontextmanager
async def open_session(
    profile: Profile | LoadedProfile,
    *,
    readers: Sequence[Reader] = (),
    max_events_bytes: int = MAX_EVENTS_BYTES,
) -> AsyncIterator[Session]:
    """Open the session that a profile describes; it is configured when the body starts and closed when it ends.

    Args:
        profile: A validated profile, such as `load_profile` returns.
        readers: Called with each update by the pump; they must not wait.
        max_events_bytes: How far `async for event in session` may fall behind before events are lost, and that is told;
            0 keeps nothing for it.

    Raises:
        RunnerError: the session cannot be opened; which branch of the tree says why.
    """
    profile = profile if not hasattr(profile, "profile") else profile.profile
    endpoint = profile.endpoint
    timeout_s = _LOCAL_TIMEOUT_S if isinstance(endpoint, LocalEndpoint) else endpoint.connect_timeout_s
    preview = isinstance(endpoint, AzureEndpoint) and endpoint.speaks_preview
    failure: BaseException | None = None
    async with _open_connection(profile) as websocket:
        dialects: dict[str, Dialect] = {"incoming": from_preview, "outgoing": to_preview} if preview else {}
        session = Session(websocket, readers=readers, max_events_bytes=max_events_bytes, **dialects)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.pump.run)
            try:
                await session.configure(session_update(profile), timeout_s=timeout_s)
                logbook.bind(session_id=session.state.session_id)
                yield session
                await session.close()
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
                failure = error
            finally:
                logbook.unbind("session_id")
                with anyio.move_on_after(_FAREWELL_S, shield=True):
                    await session.close()
                tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _open_connection(profile: Profile) -> AsyncIterator[WebSocket]:
    if not isinstance(profile.endpoint, LocalEndpoint):
        address = address_of(profile, await credential_headers(profile))
        async with open_websocket(address, profile.endpoint) as websocket:
            yield websocket
        return
    from runner.local.app import LocalApp
    from runner.local.inprocess import InProcessBackend

    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        backend = InProcessBackend(LocalApp(profile.endpoint), tasks)
        try:
            async with open_websocket(address_of(profile, {}), None, backend=backend) as websocket:
                yield websocket
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
