"""Tools that are requests of HTTP, each over a connection of its own.

A connection that is kept may be dead, and what has been sent on it cannot be sent again without harm.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx

from runner import __version__, logs
from runner.connect.network import CONNECTION_ERRORS, explain, place, proxy_of
from runner.connect.tls import tls_context
from runner.connect.transport import Transport
from runner.errors import ProfileError, SecretError
from runner.protocol.json_text import dumps
from runner.tools.given_texts import request_headers
from runner.tools.named_hosts import NamedHosts, UnnamedAddress
from runner.tools.output_text import MARGIN_BYTES, text_of
from runner.tools.tool_opening import opening
from runner.tools.tool_source import CallAnswer, OfferedTool

if TYPE_CHECKING:
    import ssl

    from runner.settings.tool import HttpRun, ToolSettings
    from runner.tools.tool_source import JsonObject

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The statuses that another attempt may not meet."""
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)


class HttpTool:
    """A tool that is a request of HTTP."""

    def __init__(self, settings: ToolSettings, run: HttpRun) -> None:
        self._settings = settings
        self._run = run
        self._url = httpx.URL(str(run.url))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Ask once for all that a request needs, so that what is missing shows at the start.

        Raises:
            SecretError: A reference leads nowhere.
            ProfileError: The file of authorities cannot be used.
        """
        with opening(self._settings.name):
            await request_headers(self._run.headers)
            self._trust()
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool."""
        return [OfferedTool.declared(self._settings)]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Send one request with these arguments, and take its answer."""
        try:
            return await self._exchange(name, arguments)
        except UnnamedAddress as error:
            logs.logger().error("tool_unreachable", tool=name, host=self._url.host, error=str(error))
            return CallAnswer("The tool could not be reached.", is_failed=True)
        except (ProfileError, SecretError) as error:
            logs.logger().error("tool_unreachable", tool=name, error=error.message)
            return CallAnswer("The tool could not be reached.", is_failed=True)
        except CONNECTION_ERRORS as error:
            logs.logger().warning("tool_unreachable", tool=name, host=self._url.host, error=explain(error)[0])
            return CallAnswer("The tool could not be reached.", is_failed=True, may_pass=True)

    async def _exchange(self, name: str, arguments: JsonObject) -> CallAnswer:
        url, content, headers = self._request(arguments, await request_headers(self._run.headers))
        proxy = proxy_of(url, self._run.proxy)
        # Without a client, which would look at where a redirect leads, and log the address with its query.
        request = httpx.Request(self._run.method, url, headers=headers, content=content)
        async with Transport(url, NamedHosts(is_proxied=proxy is not None), self._trust(), proxy) as transport:
            response = await transport.handle_async_request(request)
            body, is_cut = await self._body(response)
        return self._answer(name, response, body, is_cut=is_cut)

    def _trust(self) -> ssl.SSLContext | None:
        try:
            return tls_context(self._run.ca_file) if self._url.scheme == "https" else None
        except ProfileError as error:
            raise ProfileError(error.message, hint="check its `ca_file`") from None

    def _request(self, arguments: JsonObject, given: dict[str, str]) -> tuple[httpx.URL, bytes | None, httpx.Headers]:
        headers = httpx.Headers({"user-agent": f"rt-run/{__version__}", "accept-encoding": "identity", **given})
        if self._run.sends_query:
            added = [(name, text) for name, value in arguments.items() for text in _query_texts(value)]
            query = httpx.QueryParams([*self._url.params.multi_items(), *added])
            return (self._url.copy_with(params=query) if added else self._url), None, headers
        headers.setdefault("content-type", "application/json")
        return self._url, dumps(arguments).encode(), headers

    async def _body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """The body, and whether it went on beyond what is taken."""
        longest_bytes = self._settings.max_output_bytes + MARGIN_BYTES
        body = bytearray()
        is_cut = False
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > longest_bytes:
                    is_cut = True
                    # Leaving the loop would leave the generators below to the garbage collector.
                    await response.extensions["network_stream"].aclose()
        except CONNECTION_ERRORS:
            if not is_cut:
                raise
        return bytes(body[:longest_bytes]), is_cut

    def _answer(self, name: str, response: httpx.Response, body: bytes, *, is_cut: bool) -> CallAnswer:
        status = response.status_code
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            what = f"The tool answered with HTTP {status}, in an encoding that was not asked for."
            return CallAnswer(what, is_failed=True)
        text = _decoded(body, response.headers.get("content-type", ""))
        if response.is_success:
            return CallAnswer(text, is_cut=is_cut)
        if response.has_redirect_location:
            where = ""
            with suppress(httpx.InvalidURL, ValueError):
                where = place(self._url.join(response.headers["location"]))
            logs.logger().warning("tool_redirected", tool=name, host=self._url.host, status=status, location=where)
            return CallAnswer(
                f"The tool answered with HTTP {status}, a redirect, which is not followed.", is_failed=True
            )
        what = f"The tool answered with HTTP {status}.\n{text}".rstrip()
        return CallAnswer(what, is_failed=True, may_pass=status in _PASSING, is_cut=is_cut)


def _query_texts(value: Any) -> list[str]:
    """An argument as values of the query: each element of an array one, an object as JSON, null none."""
    if value is None:
        return []
    if isinstance(value, list):
        return [text for each in value for text in _query_texts(each)]
    return [value if isinstance(value, str) else dumps(value)]


def _decoded(body: bytes, content_type: str) -> str:
    found = _CHARSET.search(content_type)
    if found and found[1].lower() not in ("utf-8", "utf8"):
        with suppress(LookupError, ValueError):
            body = body.decode(found[1], errors="replace").encode()
    return text_of(body)
