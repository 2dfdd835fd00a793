"""The words of a refusal, in the shapes that frameworks and gateways write them."""

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from runner import redaction
from runner.connect.refused_handshake import BODY_LIMIT_BYTES, explanation, retry_after_s

WORDS = "no model of this name"
OPENAI = {"error": {"message": WORDS, "type": "invalid_request_error", "code": "model_not_found", "param": None}}


def told(body: Any, **headers: str) -> tuple[str, str]:
    """Code and words of a body, which is made JSON unless it is bytes."""
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return explanation(body if isinstance(body, bytes) else json.dumps(body).encode(), httpx.Headers(named))


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (OPENAI, "model_not_found", WORDS),
        ({"error": WORDS}, "", WORDS),
        ({"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}}, "", WORDS),
        ([{"error": {"code": 400, "message": WORDS}}], "", WORDS),
        ({"errors": [{"message": WORDS, "code": "E1"}]}, "E1", WORDS),
        ({"errors": [WORDS, "and another"]}, "", f"{WORDS}; and another"),
        ({"errors": {"model": ["is required"]}, "title": WORDS}, "", WORDS),
        ({"detail": WORDS}, "", WORDS),
        ({"detail": [{"loc": ["query", "model"], "msg": WORDS, "type": "x"}]}, "", f"query.model: {WORDS}"),
        ({"detail": {"error": {"message": WORDS, "code": "E2"}}}, "E2", WORDS),
        ({"type": "about:blank", "title": "Not Found", "status": 404, "detail": WORDS}, "", WORDS),
        ({"error": "invalid_request", "error_description": WORDS}, "", WORDS),
        ({"timestamp": "now", "status": 404, "error": "Not Found", "message": WORDS, "path": "/"}, "", WORDS),
        ({"Message": WORDS}, "", WORDS),
        ({"code": "E3"}, "E3", ""),
        ({"message": None, "reason": WORDS}, "", WORDS),
        ([[[WORDS]]], "", WORDS),
        ([], "", ""),
        (None, "", ""),
        (7, "", ""),
        ({"error": {"message": {"en": "x"}}}, "", ""),
    ],
)
def test_the_words_are_found(body: Any, code: str, words: str) -> None:
    """Objects, lists of faults, and problem details."""
    assert told(body) == (code, words)


PLAIN = json.dumps(OPENAI).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(PLAIN), {"content_encoding": "gzip"}),
        (gzip.compress(PLAIN), {}),
        (gzip.compress(PLAIN)[:-9], {"content_encoding": "x-gzip"}),
        (zlib.compress(PLAIN), {"content_encoding": "deflate"}),
        (zlib.compress(PLAIN)[2:-4], {"content_encoding": "DEFLATE"}),
        (PLAIN, {"content_encoding": "gzip"}),
        (PLAIN, {"content_encoding": "identity"}),
        (b"\xef\xbb\xbf" + PLAIN, {}),
        (b"\xef\xbb\xbf" + PLAIN, {"content_type": "application/json; charset=utf-8"}),
        (PLAIN.decode().encode("utf-16"), {"content_type": "application/json; charset=utf-16"}),
        (PLAIN, {"content_type": "application/json; charset=no-such"}),
        (PLAIN, {"content_type": 'application/json; charset="'}),
        (PLAIN.decode().encode("utf-16"), {"content_type": 'application/json; Charset="UTF-16"; x=y'}),
    ],
)
def test_the_words_are_unpacked(body: bytes, headers: dict[str, str]) -> None:
    """Compressed although nobody asked for it, with a byte order mark, in another encoding."""
    assert told(body, **headers) == ("model_not_found", WORDS)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"", {"content_type": "text/\xe9; charset=\xe9", "content_encoding": "\xff"}),
        (b"<html>404</html>", {}),
        (b"\x1b\x05\x00 something", {"content_encoding": "br"}),
        (bytes(range(256)), {}),
        (b"\x89PNG\r\n\x1a\n\x00\x00", {"content_type": "image/png"}),
        (b"[" * 60_000, {}),
        (b'{"error":' * 6_000, {}),
        (b'[{"a":' * 10_000 + b"1" + b"}]" * 10_000, {}),
        (gzip.compress(b"\x00" * 10_000_000), {"content_encoding": "gzip"}),
    ],
)
def test_what_holds_no_words_is_none_given(body: bytes, headers: dict[str, str]) -> None:
    """Neither rubbish in the log nor an exception."""
    assert told(body, **headers) == ("", "")


def test_words_are_cut_after_they_are_redacted() -> None:
    """Whatever letter the limit falls on, no part of a key is told."""
    key = "sk-made-up-0123456789"
    with redaction.hidden({key}):
        for before in range(470, 505):
            _, words = told({"error": {"message": f"{'x' * before}{key} is wrong"}})
            assert "sk-" not in words
        whole = b"x " * 10 + b" " * (BODY_LIMIT_BYTES - 30) + key[:9].encode()
        assert told(whole.ljust(BODY_LIMIT_BYTES)[:BODY_LIMIT_BYTES]) == ("", "x " * 9 + "x")


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999",
        "Mon, 01 Jan 0001 00:00:00 +2300",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 99 Foo 2024 99:99:99 GMT",
        ",",
        "\u0661\u0662",
        "1e999",
        "-",
    ],
)
def test_a_wait_that_makes_no_sense_is_none(value: str) -> None:
    """No date of a proxy is an exception."""
    wait_s = retry_after_s(httpx.Headers([(b"retry-after", value.encode())]))

    assert wait_s is None or wait_s >= 0
