"""WebSocket frames as a client reads and writes them (RFC 6455), without I/O."""

import codecs
import os
from typing import NamedTuple

from runner.connect.masks import masked
from runner.errors import BrokenWire

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_FIN = 0x80
_WHOLE_TEXT = _FIN | _TEXT
_WHOLE_BINARY = _FIN | _BINARY
_CONTROL_LIMIT_BYTES = 125
_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class BrokenFrames(BrokenWire):
    """The peer broke RFC 6455, in an event of its own; `close_code` is the answer that the RFC asks for."""

    def __init__(self, message: str, *, close_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.close_code = close_code


class Ping(NamedTuple):
    """The peer asks for a pong with the same payload."""

    payload: bytes


class Pong(NamedTuple):
    """The peer answers a ping, or just shows that it lives."""

    payload: bytes


class Close(NamedTuple):
    """The peer ends the connection; 1005 stands for a close frame without a code."""

    code: int
    reason: str


class Binary(NamedTuple):
    """A whole binary message."""

    payload: bytes


FrameEvent = bytes | Binary | Ping | Pong | Close | BrokenFrames
"""What frames say; `bytes` are a whole text message, of which its decoder finds out whether it is UTF-8."""


class FrameReader:
    """Turns the bytes of a server into events.

    Messages are reassembled, the text of fragments is checked as it comes, and nothing is kept of a message that is
    too large. What follows a close frame is dropped.

    Args:
        max_message_bytes: The largest message that is accepted.
    """

    __slots__ = ("_max_message_bytes", "_over", "_parts", "_rest", "_utf8", "_wanted_bytes")

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._rest = bytearray()
        self._wanted_bytes = 2
        self._parts: bytearray | None = None
        self._utf8: codecs.IncrementalDecoder | None = None
        self._over = False

    def feed(self, data: bytes) -> list[FrameEvent]:
        """The events that these bytes complete; `BrokenFrames` is the last one, after which nothing more is read.

        A frame is cut out of `data` in one copy; only one that lies across two reads is put together first.
        """
        events: list[FrameEvent] = []
        offset, rest = 0, self._rest
        try:
            while offset < len(data) and not self._over:
                if rest:
                    piece = data[offset : offset + self._wanted_bytes - len(rest)]
                    offset += len(piece)
                    rest += piece
                    if len(rest) < self._wanted_bytes:
                        break
                    block = bytes(rest)
                    rest.clear()
                    self._cut(block, 0, events)
                else:
                    start, offset = offset, len(data)
                    self._cut(data, start, events)
        except BrokenFrames as error:
            self._over = True
            events.append(error)
        return events

    def _cut(self, data: bytes, start: int, events: list[FrameEvent]) -> None:
        """Add the events of the whole frames from `start` on, and keep the part of a frame that follows them.

        Everything is in one function because calls would double its cost.
        """
        limit_bytes, end, wanted_bytes = self._max_message_bytes, len(data), 2
        while end - start >= wanted_bytes:
            first, length, payload_start = data[start], data[start + 1], start + 2
            masked = length >= 128
            if length == 126 and end - start >= 4:
                length, payload_start = data[start + 2] << 8 | data[start + 3], start + 4
            elif 126 <= length < 128:
                payload_start += 2 if length == 126 else 8
                if end < payload_start:
                    wanted_bytes = payload_start - start
                    break
                length = int.from_bytes(data[start + 2 : payload_start])
            whole_text = first == _WHOLE_TEXT and self._parts is None
            if masked or not whole_text or length > limit_bytes:
                self._check_header(first, length, masked=masked)
            payload_end = payload_start + length
            if payload_end > end:
                wanted_bytes = payload_end - start
                break
            payload, start = data[payload_start:payload_end], payload_end
            if whole_text:
                events.append(payload)
            elif (event := self._take(first, payload)) is not None:
                events.append(event)
                if self._over:
                    return
        self._rest += data[start:]
        self._wanted_bytes = wanted_bytes

    def _check_header(self, first: int, length: int, *, masked: bool) -> None:
        opcode = first & 0x0F
        if opcode not in _OPCODES:
            raise BrokenFrames(f"the endpoint sent a frame of the unknown type {opcode}", close_code=1002)
        if masked:
            raise BrokenFrames("the endpoint sent a masked frame", close_code=1002)
        held = len(self._parts) if self._parts is not None and opcode < _CLOSE else 0
        if held + length > self._max_message_bytes:
            raise BrokenFrames(
                f"the endpoint sent a message of more than {self._max_message_bytes} bytes",
                close_code=1009,
                hint="raise `endpoint.max_message_bytes` if that is meant",
            )
        if first & 0x70:
            raise BrokenFrames("the endpoint sent a frame with reserved bits set", close_code=1002)
        if opcode >= _CLOSE:
            if length > _CONTROL_LIMIT_BYTES or first < _FIN:
                raise BrokenFrames("the endpoint sent a control frame that is too long or fragmented", close_code=1002)
        elif (opcode == _CONTINUATION) != (self._parts is not None):
            raise BrokenFrames("the endpoint sent the frames of a message out of order", close_code=1002)

    def _take(self, first: int, payload: bytes) -> FrameEvent | None:
        opcode = first & 0x0F
        if opcode == _PING:
            return Ping(payload)
        if opcode == _PONG:
            return Pong(payload)
        if opcode == _CLOSE:
            close = _close(payload)
            self._over = True
            return close
        if first == _WHOLE_BINARY:
            return Binary(payload)
        if self._parts is None:
            self._parts = bytearray()
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if opcode == _TEXT else None
        self._parts += payload
        if self._utf8 is not None:
            try:
                self._utf8.decode(payload, final=first >= _FIN)
            except UnicodeDecodeError as error:
                raise not_utf8(error) from None
        if first < _FIN:
            return None
        parts, self._parts = self._parts, None
        return Binary(bytes(parts)) if self._utf8 is None else bytes(parts)


def _check_text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None


def not_utf8(error: UnicodeDecodeError) -> BrokenFrames:
    """The error of a text message that cannot be decoded."""
    return BrokenFrames(f"the endpoint sent text that is not UTF-8: {error.reason}", close_code=1007)


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(1005, "")
    if len(payload) == 1:
        raise BrokenFrames("the endpoint sent half a close code", close_code=1002)
    code, reason = int.from_bytes(payload[:2]), _check_text(payload[2:])
    if not is_sendable(code):
        raise BrokenFrames(f"the endpoint sent the close code {code}, which must not be sent", close_code=1002)
    return Close(code, reason)


def is_sendable(code: int) -> bool:
    """Whether a close frame may hold this code."""
    return code in _SENDABLE_CODES or 3000 <= code < 5000


def encode_text(text: str | bytes) -> bytes:
    """A text message in one frame; `bytes` must be UTF-8 already."""
    return _encode(_TEXT, text.encode() if isinstance(text, str) else text)


def encode_ping(payload: bytes = b"") -> bytes:
    """A ping of at most 125 bytes."""
    return _encode_control(_PING, payload)


def encode_pong(payload: bytes = b"") -> bytes:
    """The answer to a ping with this payload."""
    return _encode_control(_PONG, payload)


def encode_close(code: int = 1000, reason: str = "") -> bytes:
    """A close frame; 1005 makes one without a code, and a reason of more than 123 bytes is cut at a character."""
    if code == 1005:
        return _encode_control(_CLOSE, b"")
    if not is_sendable(code):
        msg = f"a close frame cannot hold the code {code}"
        raise ValueError(msg)
    text = reason.encode()[: _CONTROL_LIMIT_BYTES - 2].decode(errors="ignore")
    return _encode_control(_CLOSE, code.to_bytes(2) + text.encode())


def _encode_control(opcode: int, payload: bytes) -> bytes:
    if len(payload) > _CONTROL_LIMIT_BYTES:
        msg = f"a control frame holds at most {_CONTROL_LIMIT_BYTES} bytes"
        raise ValueError(msg)
    return _encode(opcode, payload)


def _encode(opcode: int, payload: bytes) -> bytes:
    length, mask = len(payload), os.urandom(4)
    if length < 126:
        header = bytes((_FIN | opcode, 0x80 | length)) + mask
    elif length < 1 << 16:
        header = bytes((_FIN | opcode, 0xFE)) + length.to_bytes(2) + mask
    else:
        header = bytes((_FIN | opcode, 0xFF)) + length.to_bytes(8) + mask
    return header + masked(payload, mask)
