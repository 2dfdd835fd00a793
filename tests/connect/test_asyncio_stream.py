"""Connections on asyncio without anyio around them, and names that lead nowhere."""

import asyncio
import socket
from typing import Any

import pytest

from runner.connect.handshake import Address, open_websocket
from runner.errors import EndpointUnreachable
from tests.helpers.transport_peers import Inbox, Peer, listening, websocket


def test_plain_asyncio_will_do() -> None:
    """A program that uses asyncio alone gets its messages and the end, and no callback of ours fails."""
    faults: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.text("one")
        await peer.hang_up()

    async def main() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with (
            listening(websocket(script)) as port,
            open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
        ):
            inbox = await Inbox.of(session)
            message = await inbox.receive()
            with pytest.raises(EndpointUnreachable, match="lost without a close"):
                await session.ended()
            await asyncio.sleep(0.05)
            return message

    assert asyncio.run(main()) == "one"
    assert faults == []


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["foo..invalid", "x" * 70 + ".invalid"])
async def test_a_name_that_cannot_be_is_reported_as_one_that_is_not(host: str) -> None:
    """Whatever is wrong with a name, it cannot be resolved."""
    with pytest.raises(EndpointUnreachable, match="cannot be resolved"):
        async with open_websocket(Address(f"https://{host}/", {}), None):
            pass


@pytest.mark.anyio
async def test_addresses_that_fail_for_different_reasons_are_reported_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with several addresses, none of which can be reached."""
    from runner.connect import asyncio_stream

    async def unreachable(*_arguments: Any, **_options: Any) -> None:
        raise OSError("Multiple exceptions: one, another")

    monkeypatch.setattr(asyncio_stream, "start_connection", unreachable)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    with pytest.raises(EndpointUnreachable, match="no route to host"):
        async with open_websocket(Address("http://127.0.0.1:9/", {}), None):
            pass


@pytest.mark.anyio
async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address of a name does not answer, the next one does."""

    async def script(peer: Peer) -> None:
        await peer.text("hello")

    def getaddrinfo(_host: Any, port: int, *_rest: Any, **_options: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)),
        ]

    async with listening(websocket(script)) as port:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        async with open_websocket(Address(f"http://localhost:{port}/", {}), None) as session:
            assert await (await Inbox.of(session)).receive() == "hello"
