"""WebSocket frames as a client reads and writes them (RFC 6455), without I/O."""

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass

from runner.errors import ProtocolError

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_FIN = 0x80
_WHOLE_TEXT = _FIN | _TEXT
_WHOLE = frozenset({_WHOLE_TEXT, _FIN | _BINARY})
_CONTROL_LIMIT_BYTES = 125
_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_XOR_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]
_TABLES_PAY_FROM_BYTES = 640

Message = str | bytes
"""A whole message: text as `str`, binary as `bytes`."""


class BrokenFrames(ProtocolError):  # a ProtocolError is an error already
    """The peer broke RFC 6455; `close_code` is the answer that the RFC asks for."""

    def __init__(self, message: str, *, close_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.close_code = close_code


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer asks for a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer answers a ping, or just shows that it lives."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer ends the connection; 1005 stands for a close frame without a code."""

    code: int
    reason: str


Event = str | bytes | Ping | Pong | Close


class FrameReader:
    """Turns the bytes of a server into events: `feed` it, then iterate until it stops.

    Messages are reassembled, text is checked as it comes, and nothing is kept of a message that is too large.
    What follows a close frame is dropped.

    Args:
        max_message_bytes: The largest message that is accepted.

    Raises:
        BrokenFrames: In the iteration, after the events before the fault; the reader is of no use afterwards.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._buffer = bytearray()
        self._wanted_bytes = 2
        self._parts: bytearray | None = None
        self._utf8: codecs.IncrementalDecoder | None = None
        self._over = False

    def feed(self, data: bytes) -> None:
        """Take what was read from the connection."""
        if not self._over:
            self._buffer += data

    def __iter__(self) -> Iterator[Event]:
        buffer, start, end = self._buffer, 0, len(self._buffer)
        wanted_bytes, self._wanted_bytes = self._wanted_bytes, 2
        try:
            while end - start >= wanted_bytes and not self._over:
                wanted_bytes = 2
                first, length, payload_start = buffer[start], buffer[start + 1], start + 2
                masked = length >= 128
                if 126 <= length < 128:
                    payload_start += 2 if length == 126 else 8
                    if end < payload_start:
                        wanted_bytes = payload_start - start
                        break
                    length = int.from_bytes(buffer[start + 2 : payload_start])
                whole = first in _WHOLE and self._parts is None
                if masked or not whole or length > self._max_message_bytes:
                    self._check_header(first, length, masked=masked)
                payload_end = payload_start + length
                if payload_end > end:
                    wanted_bytes = payload_end - start
                    break
                payload, start = buffer[payload_start:payload_end], payload_end
                if whole:
                    yield _text(payload) if first == _WHOLE_TEXT else bytes(payload)
                elif (event := self._take(first, payload)) is not None:
                    yield event
        except BrokenFrames:
            self._over = True
            raise
        finally:
            self._wanted_bytes = wanted_bytes
            if self._over:
                buffer.clear()
            else:
                del buffer[:start]

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

    def _take(self, first: int, payload: bytearray) -> Event | None:
        opcode = first & 0x0F
        if opcode == _PING:
            return Ping(bytes(payload))
        if opcode == _PONG:
            return Pong(bytes(payload))
        if opcode == _CLOSE:
            close = _close(payload)
            self._over = True
            return close
        if self._parts is None:
            self._parts = bytearray()
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if opcode == _TEXT else None
        self._parts += payload
        if self._utf8 is not None:
            try:
                self._utf8.decode(bytes(payload), final=first >= _FIN)
            except UnicodeDecodeError as error:
                raise _not_utf8(error) from None
        if first < _FIN:
            return None
        parts, self._parts = self._parts, None
        return bytes(parts) if self._utf8 is None else _text(parts)


def _text(payload: bytearray) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None


def _not_utf8(error: UnicodeDecodeError) -> BrokenFrames:
    return BrokenFrames(f"the endpoint sent text that is not UTF-8: {error.reason}", close_code=1007)


def _close(payload: bytearray) -> Close:
    if not payload:
        return Close(1005, "")
    if len(payload) == 1:
        raise BrokenFrames("the endpoint sent half a close code", close_code=1002)
    code, reason = int.from_bytes(payload[:2]), _text(payload[2:])
    if not is_sendable(code):
        raise BrokenFrames(f"the endpoint sent the close code {code}, which must not be sent", close_code=1002)
    return Close(code, reason)


def is_sendable(code: int) -> bool:
    """Whether a close frame may hold this code."""
    return code in _SENDABLE_CODES or 3000 <= code < 5000


def encode_text(text: str | bytes) -> bytes:
    """A text message in one frame; `bytes` must be UTF-8 already."""
    return _encode(_TEXT, text.encode() if isinstance(text, str) else text)


def encode_binary(data: bytes) -> bytes:
    """A binary message in one frame."""
    return _encode(_BINARY, data)


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
    if length < _TABLES_PAY_FROM_BYTES:
        key = int.from_bytes((mask * (length // 4 + 1))[:length])
        return header + (int.from_bytes(payload) ^ key).to_bytes(length)
    frame = bytearray(header)
    frame += payload
    for lane, key in enumerate(mask, len(header)):
        frame[lane::4] = frame[lane::4].translate(_XOR_TABLES[key])
    return bytes(frame)
