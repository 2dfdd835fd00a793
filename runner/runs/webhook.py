"""Delivers reports by HTTP POST, signed as Standard Webhooks have it."""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING

import anyio
import httpx

from runner import __version__
from runner.connect.network import (
    CONNECTION_ERRORS,
    TcpBackend,
    explain,
    place,
    proxy_of,
)
from runner.connect.secrets import resolve
from runner.connect.tls import tls_context
from runner.connect.transport import Transport
from runner.errors import RunnerError, reason_of

if TYPE_CHECKING:
    from runner.settings.report_settings import WebhookSettings

_PREFIX = "whsec_"


class Webhook:
    """The receiver of reports.

    Args:
        settings: Where it is, and what it knows us by.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._url = httpx.URL(str(settings.url))

    @property
    def place(self) -> str:
        """`host:port`, which is all of the address that a message may hold."""
        return place(self._url)

    async def check(self) -> None:
        """Find out whether the secret can be had; raises `SecretError`."""
        await resolve(self._settings.secret)

    async def deliver(self, report_id: str, body: bytes) -> str:
        """Send one report once; returns why it was not delivered, nothing where it was."""
        try:
            with anyio.fail_after(self._settings.timeout_s):
                status = await self._post(report_id, body)
        except TimeoutError:
            return f"no answer within {self._settings.timeout_s:g} s"
        except RunnerError as error:
            return error.message
        except CONNECTION_ERRORS as error:
            return explain(error)[0]
        except Exception as error:  # noqa: BLE001  # whatever it is, the report waits, and no session shall suffer
            return reason_of(error)
        return "" if 200 <= status < 300 else f"HTTP {status}"

    async def _post(self, report_id: str, body: bytes) -> int:
        secret = await resolve(self._settings.secret)
        timestamp = int(time())
        headers = {
            "content-type": "application/json",
            "user-agent": f"rt-run/{__version__}",
            "webhook-id": report_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, report_id, timestamp, body),
        }
        is_clear = self._url.scheme == "http"
        proxy = proxy_of(self._url)
        request = httpx.Request("POST", self._url, headers=headers, content=body)
        trust = None if is_clear else tls_context()
        async with Transport(self._url, TcpBackend(), trust, proxy) as transport:
            response = await transport.handle_async_request(request)
            await response.aclose()
        return response.status_code


def signature(secret: str, report_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: version 1, HMAC-SHA256 of id, time and body."""
    signed = hmac.digest(_key(secret), f"{report_id}.{timestamp}.".encode() + body, sha256().name)
    return f"v1,{base64.b64encode(signed).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
