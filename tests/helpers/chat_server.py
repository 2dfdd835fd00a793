"""A small real server of OpenAI's chat completions: it says what a test has written, and notes what it is asked."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream


def said(*texts: str, finish_reason: str = "stop") -> bytes:
    """The stream of an answer that comes in these pieces."""
    return streamed(*({"content": text} for text in texts), finish_reason=finish_reason)


def called(*calls: tuple[str, str], text: str = "") -> bytes:
    """The stream of an answer that calls functions, each with its arguments in two pieces."""
    deltas: list[dict[str, Any]] = [{"content": text}] if text else []
    for index, (name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        head: dict[str, Any] = {"index": index, "id": f"call_{index}", "type": "function"}
        deltas.append({"tool_calls": [{**head, "function": {"name": name, "arguments": arguments[:half]}}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]})
    return streamed(*deltas, finish_reason="tool_calls")


def streamed(*deltas: dict[str, Any], finish_reason: str = "stop") -> bytes:
    """The stream of an answer of these deltas."""
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    events = [json.dumps({"object": "chat.completion.chunk", "choices": [choice]}) for choice in choices]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()


@dataclass
class ChatServer:
    """The server's answers, and what it was asked.

    Args:
        answers: What it answers in turn: a stream, or a status with a body.
        holds: Whether it stops before the end of a stream, and waits for its client to leave.
    """

    answers: Sequence[bytes | tuple[int, bytes]]
    holds: bool = False
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Their headers."""
    left: anyio.Event = field(default_factory=anyio.Event)
    """Set once a client leaves in the middle of an answer."""

    @property
    def brain(self) -> dict[str, Any]:
        """The settings of a brain that asks it."""
        return {"kind": "chat", "base_url": f"http://127.0.0.1:{self.port}/v1", "model": "small"}

    async def serve(self, stream: SocketStream) -> None:
        """Answer the requests of one connection."""
        async with stream:
            try:
                while await self._answer(stream):
                    pass
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    async def _answer(self, stream: SocketStream) -> bool:
        received = b""
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        request, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += await stream.receive()
        self.headers.append({"": request, **headers})
        self.requests.append(json.loads(body))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        kind = "text/event-stream" if status == 200 else "application/json"
        start = f"HTTP/1.1 {status} .\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        # In odd pieces, as a network cuts them.
        pieces = [content[at : at + 37] for at in range(0, len(content), 37)]
        await stream.send(start + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces))
        if self.holds:
            try:
                await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.left.set()
                raise
        await stream.send(b"0\r\n\r\n")
        return True


@asynccontextmanager
async def chat_server(*answers: bytes | tuple[int, bytes], holds: bool = False) -> AsyncIterator[ChatServer]:
    """Serve these answers, the last one again and again."""
    server = ChatServer(answers, holds)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        server.port = int(listener.extra(SocketAttribute.local_port))  # noqa: S610  # no Django
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()
