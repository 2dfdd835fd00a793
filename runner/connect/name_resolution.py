"""Names → addresses on asyncio's loops, in threads that nobody waits for."""

import asyncio
import contextlib
import socket
import threading
from typing import cast

from aiohappyeyeballs import AddrInfoType


async def resolved(host: str, port: int) -> list[AddrInfoType]:
    """The addresses of a name, asked for in a thread of its own, which a caller that is cancelled abandons.

    The resolvers of the loops are no use: where a name server is silent for a minute, that of uvloop keeps the process
    for as long after its end, and that of asyncio keeps all others waiting.

    Raises:
        OSError: The name leads nowhere.
        UnicodeError: No name can look like this.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[AddrInfoType]] = loop.create_future()

    def settle(found: list[AddrInfoType] | Exception) -> None:
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[AddrInfoType] | Exception
        try:
            found = cast("list[AddrInfoType]", socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found = error
        # A loop that is closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found)

    # A daemon: the interpreter does not wait for it either.
    threading.Thread(target=ask, name=f"resolving {host}", daemon=True).start()
    return await answer
