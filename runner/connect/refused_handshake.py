"""What the answer to a refused handshake says."""

import contextlib
import email.utils
import math
import time
from typing import Any

import httpx

from runner.protocol.json_text import loads

_MESSAGE_LIMIT = 500


def explanation(body: str) -> tuple[str, str]:
    """Code and message of a refusal, as OpenAI and Azure (`{"error": {…}}`) or gateways (flat, text) write it."""
    try:
        found: Any = loads(body)
    except ValueError:
        found = "" if body.lstrip().startswith("<") else body
    if isinstance(found, dict):
        found = found.get("error") or found
    code: Any = ""
    if isinstance(found, dict):
        code, found = found.get("code"), found.get("message") or found.get("detail")
    text = " ".join(found.split()) if isinstance(found, str) else ""
    text = "".join(letter for letter in text if letter.isprintable())[:_MESSAGE_LIMIT]
    return (code if isinstance(code, str) else ""), text


def retry_after_s(headers: httpx.Headers) -> float | None:
    """The wait that a refusal asks for, in seconds or until a date; None where it asks for none."""
    value = headers.get("retry-after", "")
    wait_s = math.nan
    with contextlib.suppress(ValueError):
        wait_s = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    with contextlib.suppress(ValueError):
        wait_s = float(value)
    return max(0.0, wait_s) if math.isfinite(wait_s) else None
