"""What the answer to a refused handshake says."""

import codecs
import math
import re
import time
import zlib
from typing import Any, Final

import httpx

from runner import redaction
from runner.connect.clock import date_s
from runner.protocol.json_text import TooDeep, loads
from runner.protocol.severity import plain

BODY_LIMIT_BYTES: Final = 64 * 1024
"""So much of a refusal is read, and so much of what it unpacks to."""

_MESSAGE_LIMIT: Final = 500
_LONGEST_KEY: Final = 4096
_MOST_REASONS: Final = 3
_DEEPEST: Final = 8
_CONTAINERS: Final = ("error", "errors")
_REASONS: Final = ("message", "msg", "detail", "error_description", "error", "title", "reason", "description")
_CHARSET: Final = re.compile(r"""charset=["']?([A-Za-z0-9._-]+)""", re.IGNORECASE)
_ZLIB_OR_GZIP: Final = 47
_RAW_DEFLATE: Final = -15


def explanation(body: bytes, headers: httpx.Headers) -> tuple[str, str]:
    """Code and message of a refusal; either is empty where it holds none that can be read.

    Read are the shapes of OpenAI and Azure (`{"error": {…}}`), lists of faults (`detail`, `errors`, or a list alone),
    flat objects and plain text, compressed or not.

    Args:
        body: The bytes of the body, as far as they came.
        headers: The headers that came before it.
    """
    text = redaction.redact(_text(body, headers))
    if len(body) >= BODY_LIMIT_BYTES:
        # A key that the limit has cut in two is no longer known for one.
        text = text[:-_LONGEST_KEY]
    try:
        code, reason = _reason(loads(text), 0)
    except TooDeep:
        code, reason = "", ""
    except ValueError:
        code, reason = "", "" if text.lstrip().startswith("<") else text
    return redaction.redact(code)[:_MESSAGE_LIMIT], redaction.redact(plain(reason))[:_MESSAGE_LIMIT]


def retry_after_s(headers: httpx.Headers) -> float | None:
    """The wait that a refusal asks for, in seconds or until a date; None where it asks for none."""
    value = headers.get("retry-after", "")
    try:
        wait_s = float(value)
    except ValueError:
        until_s = date_s(value)
        wait_s = math.nan if until_s is None else until_s - time.time()
    return max(0.0, wait_s) if math.isfinite(wait_s) else None


def _text(body: bytes, headers: httpx.Headers) -> str:
    """The text of a body; nothing where it is none, or is packed in a way that is not known here."""
    data = _unpacked(body, headers.get("content-encoding", "").strip().lower())
    charset = _CHARSET.search(headers.get("content-type", ""))
    try:
        decoder = codecs.getincrementaldecoder(charset[1] if charset else "utf-8-sig")("replace")
        text = decoder.decode(data).replace("\ufffd", "").lstrip("\ufeff")
    except (LookupError, UnicodeError, TypeError):
        text = data.decode("utf-8-sig", "ignore")
    return "" if any(letter < "\t" for letter in text) else text


def _unpacked(body: bytes, encoding: str) -> bytes:
    """What was compressed, whether or not the header says so; nothing where it cannot be unpacked."""
    if body.startswith(b"\x1f\x8b"):
        encoding = "gzip"
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return b""
    for window in (_ZLIB_OR_GZIP, _RAW_DEFLATE):
        try:
            return zlib.decompressobj(window).decompress(body, BODY_LIMIT_BYTES)
        except zlib.error:
            continue
    # A header that a proxy has left behind on a body that it has unpacked.
    return body


def _reason(found: Any, depth: int) -> tuple[str, str]:
    """Code and words of a value of JSON, the first of each that its usual names lead to."""
    if isinstance(found, str):
        return "", found
    if depth == _DEEPEST:
        return "", ""
    if isinstance(found, list):
        reasons = [_reason(each, depth + 1) for each in found[:_MOST_REASONS]]
        return next((code for code, _ in reasons if code), ""), "; ".join(text for _, text in reasons if text)
    if not isinstance(found, dict):
        return "", ""
    fields = {str(name).lower(): value for name, value in found.items()}
    own = fields.get("code")
    code = own if isinstance(own, str) else ""
    inner = [fields[name] for name in _CONTAINERS if isinstance(fields.get(name), dict | list)]
    for each in (*inner, *(fields.get(name) for name in _REASONS)):
        inner_code, text = _reason(each, depth + 1)
        code = code or inner_code
        if text:
            return code, f"{place}: {text}" if (place := _place(fields.get("loc"))) else text
    return code, ""


def _place(location: Any) -> str:
    """Where in a request a fault is, as FastAPI says it: a list of names."""
    return ".".join(str(each) for each in location if isinstance(each, str | int)) if isinstance(location, list) else ""
