"""A language model behind a server of OpenAI's chat completions."""

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import anyio
import httpx

from runner import __version__, logs
from runner.connect.network import explain, place, proxy_of
from runner.connect.refused_handshake import BODY_LIMIT_BYTES, explanation
from runner.connect.tls import tls_context
from runner.local.speech.chat_stream import ChatStream
from runner.local.speech.language_model import ModelRequest, NoAnswer
from runner.local.speech.replies import Call
from runner.protocol.severity import brief
from runner.settings.brain import ChatBrain

_CONNECT_TIMEOUT_S: Final = 10.0
_KEPT_S: Final = 120.0
"""How long a connection is kept between two answers, in seconds."""
_LAST_WAIT_S: Final = 0.2
"""How long the end of a body is waited for once nothing more is needed of it, in seconds."""
_TOO_LONG: Final = ("context_length_exceeded", "exceed_context_size_error", "context length", "context size")
"""Codes and words of servers for a conversation that exceeds what the model reads."""
_HINTS: Final = {
    401: "check `endpoint.brain.api_key`",
    403: "check `endpoint.brain.api_key`",
    404: "check the path of `endpoint.brain.base_url`, which usually ends in /v1, and `endpoint.brain.model`",
}


class ChatModel:
    """Has the answers of one session written, each by one request that is streamed.

    Args:
        settings: The server and its model.
        api_key: The key for the server, or None.
    """

    def __init__(self, settings: ChatBrain, api_key: str | None) -> None:
        self._settings = settings
        self._url = httpx.URL(f"{str(settings.base_url).rstrip('/')}/chat/completions")
        is_encrypted = self._url.scheme == "https"
        self._client = httpx.AsyncClient(
            # Without TLS the context is not used, and an empty one costs nothing.
            verify=tls_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=proxy_of(self._url),
            trust_env=False,
            timeout=httpx.Timeout(settings.timeout_s, connect=_CONNECT_TIMEOUT_S),
            limits=httpx.Limits(keepalive_expiry=_KEPT_S),
            headers={
                "user-agent": f"rt-run/{__version__}",
                "accept-encoding": "identity",
                "content-type": "application/json",
                **({"authorization": f"Bearer {api_key}"} if api_key else {}),
            },
        )

    async def answer(self, request: ModelRequest, take: Callable[[str | Call], None]) -> str:
        """Have a request answered; of a conversation that the model cannot read whole it gets the newer part.

        Args:
            request: The request.
            take: Called with each piece of text as it comes, and with each call once it is complete.

        Returns:
            Why the model has stopped, such as `stop` or `length`.

        Raises:
            NoAnswer: The server cannot be reached, refuses the request, or breaks off.
        """
        while True:
            try:
                return await self._ask(request, take)
            except _TooLong as error:
                shorter = _newer_half(request)
                if shorter is None:
                    raise NoAnswer(str(error)) from None
                logs.logger().info("conversation_shortened", messages=len(shorter.messages), reason=str(error))
                request = shorter

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()

    async def _ask(self, request: ModelRequest, take: Callable[[str | Call], None]) -> str:
        began_s, first_ms, stream = time.monotonic(), 0.0, ChatStream()
        where = place(self._url)

        def read(data: bytes) -> None:
            nonlocal first_ms
            for text in stream.feed(data):
                first_ms = first_ms or (time.monotonic() - began_s) * 1000
                take(text)

        try:
            async with self._client.stream("POST", self._url, content=self._body(request)) as response:
                if response.status_code != httpx.codes.OK:
                    raise await _refusal(response, where)
                await _read_whole(response, read, lambda: stream.is_over)
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                msg = f"cannot reach {where} within {_CONNECT_TIMEOUT_S:g} s"
            else:
                msg = f"{where} has been silent for {self._settings.timeout_s:g} s"
            hint = "a server that loads its model first needs a longer `endpoint.brain.timeout_s`"
            raise NoAnswer(msg, hint) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _broken(where, error, has_begun=stream.has_begun) from None
        for part in stream.finish():
            take(part)
        times = {"first_ms": round(first_ms), "total_ms": round((time.monotonic() - began_s) * 1000)}
        logs.logger().debug("answer_written", **times, finish_reason=stream.finish_reason)
        return stream.finish_reason or "stop"

    def _body(self, request: ModelRequest) -> bytes:
        body: dict[str, Any] = {"model": self._settings.model, "messages": list(request.messages), "stream": True}
        if request.tools:
            body["tools"] = list(request.tools)
            if request.tool_choice is not None:
                body["tool_choice"] = request.tool_choice
        if request.max_tokens is not None:
            body["max_tokens"] = request.max_tokens
        # As ASCII, since what a client has sent may hold half a surrogate pair.
        return json.dumps(body).encode()


class _TooLong(NoAnswer):
    """The conversation is longer than what the model reads."""


async def _read_whole(response: httpx.Response, read: Callable[[bytes], None], is_enough: Callable[[], bool]) -> None:
    """Read a body, to its end or until it is enough.

    The loop is only ever left while it waits for more: left elsewhere it would leave httpx's generators to the
    garbage collector, and the connection with them.
    """
    problem: NoAnswer | None = None
    with anyio.CancelScope() as reading:
        async for data in response.aiter_raw():
            if is_enough() or problem:
                continue
            try:
                read(data)
            except NoAnswer as error:
                problem = error
            if is_enough() or problem:
                # The end of the body may come yet, so that the connection can be kept.
                reading.deadline = anyio.current_time() + (0 if problem else _LAST_WAIT_S)
    if problem:
        raise problem


def _broken(where: str, error: Exception, *, has_begun: bool) -> NoAnswer:
    if has_begun:
        return NoAnswer(f"the answer of {where} breaks off")
    reason, _ = explain(error)
    if "certificate" in reason:
        hint = "trusted are the system's authorities, or those of the file that SSL_CERT_FILE names"
    else:
        hint = "is the server of `endpoint.brain.base_url` running?"
    return NoAnswer(f"cannot reach {where}: {reason}", hint)


async def _refusal(response: httpx.Response, where: str) -> NoAnswer:
    content = bytearray()
    await _read_whole(response, content.extend, lambda: len(content) >= BODY_LIMIT_BYTES)
    code, reason = explanation(bytes(content[:BODY_LIMIT_BYTES]), response.headers)
    message = f"{where} answered HTTP {response.status_code}: {brief(reason or response.reason_phrase)}"
    if response.status_code == httpx.codes.BAD_REQUEST and any(each in f"{code} {reason}" for each in _TOO_LONG):
        return _TooLong(message)
    return NoAnswer(message, _HINTS.get(response.status_code, ""))


def _newer_half(request: ModelRequest) -> ModelRequest | None:
    """The request with its newer messages from one of the user on; None where nothing can be left out."""
    first = next((index for index, each in enumerate(request.messages) if each["role"] != "system"), 0)
    turns = request.messages[first:]
    starts = [index for index, each in enumerate(turns) if each["role"] == "user" and index]
    if not starts:
        return None
    cut = next((index for index in starts if 2 * index >= len(turns)), starts[-1])
    return replace(request, messages=[*request.messages[:first], *turns[cut:]])
