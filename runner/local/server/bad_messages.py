"""The messages and bytes of faults that no server should ever send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.local.session.server_event import server_event, text_of

if TYPE_CHECKING:
    from runner.settings.faults import (
        BinaryFault,
        MalformedFault,
        OversizedFault,
        RateLimitedFault,
        UnknownEventFault,
    )

UNKNOWN_TYPE: Final = "session.unheard_of"
NOT_UTF8: Final = b"\x81\x04\xc3\x28\xa0\xa1"
"""A whole text frame whose text is not UTF-8."""
GARBAGE: Final = b"\xf3\x7fThese are no frames of a WebSocket.\r\n"
"""Bytes with reserved bits and an opcode that WebSocket does not have."""


def bad_message(
    fault: UnknownEventFault | OversizedFault | MalformedFault | BinaryFault | RateLimitedFault,
) -> str | bytes:
    """The message that the endpoint sends for a fault: a text, or the bytes of a binary message."""
    match fault.kind:
        case "malformed":
            return '{"type": "response.done", "response": '
        case "binary":
            return b"\x00\x01\x02\xff"
        case "unknown-event":
            return text_of(server_event(UNKNOWN_TYPE, unheard_of={"depth": [1, None, "two"]}, session=None))
        case "oversized":
            bare = text_of(server_event(UNKNOWN_TYPE, padding=""))
            return f"{bare[:-2]}{'x' * (fault.size_bytes - len(bare))}{bare[-2:]}"
        case "rate-limits":
            limits = [{"name": "requests", "limit": 10_000}, {"name": "tokens", "limit": 1_000_000}]
            spent = {"remaining": 0, "reset_seconds": fault.reset_seconds}
            return text_of(server_event("rate_limits.updated", rate_limits=[{**each, **spent} for each in limits]))
