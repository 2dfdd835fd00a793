"""The way to a profile's endpoint, which every connection of a session takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from runner import logs
from runner.connect import steps
from runner.connect.address import address_of
from runner.connect.credentials import credential_headers
from runner.connect.handshake import open_websocket
from runner.errors import AccessRefused
from runner.settings.endpoint import LocalEndpoint
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from runner.connect.websocket import WebSocket
    from runner.local.server.app import LocalApp
    from runner.settings.profile import Profile

_UNAUTHORIZED = 401


class Connector:
    """Opens connections with a fresh credential each; a local endpoint is the same for all of them.

    Args:
        profile: Where to, and as whom.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._local: LocalApp | None = None

    async def open(self, stack: AsyncExitStack, forked_id: str = "") -> WebSocket:
        """Open a connection, which the end of the stack closes.

        A credential that the endpoint refuses with 401 is fetched anew once, past every cache.

        Args:
            stack: What closes it.
            forked_id: The stored Live session that is to be forked; nothing for a session of its own.

        Raises:
            RunnerError: It cannot be opened.
        """
        if isinstance(self._profile.endpoint, LocalEndpoint):
            return await stack.enter_async_context(self._open_local(forked_id))
        steps.enter("credential")
        headers = await credential_headers(self._profile)
        try:
            return await stack.enter_async_context(self._opening(headers, forked_id))
        except AccessRefused as error:
            if error.status != _UNAUTHORIZED:
                raise
            fresh = await credential_headers(self._profile, is_fresh=True)
            if fresh == headers:
                raise
            logs.logger().info("credential_refreshed", status=error.status)
        return await stack.enter_async_context(self._opening(fresh, forked_id))

    def _opening(self, headers: dict[str, str], forked_id: str) -> AbstractAsyncContextManager[WebSocket]:
        assert not isinstance(self._profile.endpoint, LocalEndpoint)  # noqa: S101  # for the type checker
        return open_websocket(address_of(self._profile, headers, forked_id), self._profile.endpoint)

    @asynccontextmanager
    async def _open_local(self, forked_id: str) -> AsyncIterator[WebSocket]:
        from runner.local.server.app import LocalApp
        from runner.local.server.inprocess import InProcessBackend

        assert isinstance(self._profile.endpoint, LocalEndpoint)  # noqa: S101  # for the type checker
        self._local = self._local or LocalApp(self._profile.endpoint)
        # What it lacks is reported here, and models are loaded before the handshake.
        await self._local.load()
        async with body_task_group() as tasks:
            backend = InProcessBackend(self._local, tasks)
            async with open_websocket(address_of(self._profile, {}, forked_id), None, backend=backend) as websocket:
                yield websocket
