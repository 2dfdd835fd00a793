"""Who minds a connection is minded too."""

import anyio

from runner.connect.keepalive import Keepalive
from tests.helpers.virtual_time import in_virtual_time


def test_what_is_overdue_is_known() -> None:
    """Nothing is while pings go out in their time; once nobody sends them, the time since the one that was due."""

    async def mind() -> tuple[float, float]:
        keepalive = Keepalive(20, 10)

        async def answer() -> None:
            await anyio.sleep(1)
            keepalive.heard()

        async with anyio.create_task_group() as tasks:

            async def ping() -> None:
                tasks.start_soon(answer)

            tasks.start_soon(keepalive.until_silence, ping)
            await anyio.sleep(90)
            minded = keepalive.overdue_s(anyio.current_time())
            tasks.cancel_scope.cancel()
        await anyio.sleep(60)
        return minded, keepalive.overdue_s(anyio.current_time())

    assert in_virtual_time(mind) == (0, 50)
