"""Clients of the Realtime API, each written as its library's documentation would, doing the same work.

Each module has `connected(base_url, ca_file)`: a context that gives a `Client` whose session is configured. Over TLS
the environment's `SSL_CERT_FILE` names the same file as `ca_file`, which all of the libraries heed but rt-run, where it
is a key of the profile.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

SESSION: Mapping[str, Any] = {"type": "realtime", "output_modalities": ["audio"]}
"""What those clients configure that leave it to their user."""


@dataclass(slots=True)
class Received:
    """What has come of one answer."""

    events: int = 0
    """Deltas."""
    size_bytes: int = 0
    """PCM, or characters of text."""


class Client(Protocol):
    """What is measured of every library."""

    async def answer(self, metadata: dict[str, str]) -> Received:
        """Ask for an answer and take it to its end, sound as PCM, text as a string."""

    async def send_audio(self, pcm: bytes, events: int) -> int:
        """Append the same sound over and over, commit it, and return how many events the server has counted."""

    async def round_trip(self) -> None:
        """Send a small event and take its answer."""


class Awaited:
    """For clients that are called back: what has come, and the event that ends the wait for it."""

    def __init__(self) -> None:
        self.received = Received()
        self._came = asyncio.Event()
        self._end: Mapping[str, Any] = {}

    def other(self, event: Mapping[str, Any]) -> None:
        """Take an event that is no delta."""
        if event["type"] in {"response.done", "input_audio_buffer.committed", "input_audio_buffer.cleared"}:
            self._end = event
            self._came.set()

    async def answer(self) -> Received:
        """What has come until the end of the answer that was asked for."""
        await self.end()
        received, self.received = self.received, Received()
        return received

    async def end(self) -> Mapping[str, Any]:
        """The event that ends the wait."""
        await self._came.wait()
        self._came.clear()
        return self._end


def counted(item_id: str) -> int:
    """How many events the server has counted, by the item that they became."""
    return int(item_id.removeprefix("item_"))
