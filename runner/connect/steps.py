"""The steps of opening a connection, for whoever wants to know how far an attempt has come, and how long each took."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

OpeningStep = Literal["credential", "dns", "tcp", "proxy", "tls", "handshake"]


class OpeningWatch(Protocol):
    """Follows an attempt; it must not wait, and what it raises ends the attempt."""

    def enter(self, step: OpeningStep) -> None:
        """The attempt has come to this step, and the one before it is done."""

    def see(self, seen: str) -> None:
        """The step that is under way has found this out."""


_watch: ContextVar[OpeningWatch | None] = ContextVar("rt_run_opening_watch", default=None)


@contextmanager
def watched_by(watch: OpeningWatch) -> Iterator[None]:
    """Have the attempts of the block followed, and those of the tasks that it starts."""
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)


def enter(step: OpeningStep) -> None:
    """Say that the attempt has come to a step."""
    if watch := _watch.get():
        watch.enter(step)


def see(seen: str) -> None:
    """Say what the step that is under way has found out."""
    if watch := _watch.get():
        watch.see(seen)


def see_tls(tls: Any) -> None:
    """Say which version of TLS is spoken, and until when the peer's certificate holds.

    Args:
        tls: The `SSLObject`, None where the stream has none.
    """
    if tls is not None and _watch.get():
        until = (tls.getpeercert() or {}).get("notAfter")
        see(", ".join([str(tls.version()), *([f"certificate valid until {until}"] if until else [])]))


def extensions(*, has_proxy: bool) -> dict[str, Any]:
    """What httpcore needs to have a request followed: nothing where nobody watches.

    Args:
        has_proxy: Whether the request goes through a proxy.
    """
    return {"trace": _Trace(has_proxy=has_proxy)} if _watch.get() else {}


class _Trace:
    """Translates what httpcore says of its work."""

    def __init__(self, *, has_proxy: bool) -> None:
        self._has_proxy = has_proxy

    async def __call__(self, event: str, details: dict[str, Any]) -> None:
        match event.split("."):
            case [part, "start_tls", stage]:
                # TLS to the proxy itself is a part of the way through it.
                is_proxy = self._has_proxy and part == "connection"
                if stage == "started":
                    enter("proxy" if is_proxy else "tls")
                elif stage == "complete" and not is_proxy:
                    see_tls(details["return_value"].get_extra_info("ssl_object"))
            case [_, "setup_socks5_connection", "started"]:
                enter("proxy")
            case [_, "send_request_headers", "started"]:
                enter("proxy" if details["request"].method == b"CONNECT" else "handshake")
