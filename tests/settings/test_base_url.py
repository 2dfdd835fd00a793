"""The address of an endpoint, as people write it."""

from typing import Any

import pytest

from runner.settings.base_url import BaseUrl, has_user_info
from runner.settings.endpoint import CustomEndpoint
from tests.settings.conftest import Refused


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("wss://gw.test/v1", "https://gw.test/v1"),
        ("WSS://gw.test:8443/v1", "https://gw.test:8443/v1"),
        ("ws://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://gw.test/wss://x", "https://gw.test/wss://x"),
        ("https://bücher.test/v1", "https://xn--bcher-kva.test/v1"),
    ],
)
def test_a_websockets_address_means_the_same(given: str, taken: str) -> None:
    """Every one writes it so who has read the API's documentation."""
    endpoint = CustomEndpoint.model_validate({"kind": "custom", "base_url": given})

    assert str(endpoint.base_url) == taken


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("ftp://gw.test", "url_scheme"),
        ("gw.test/v1", "url_parsing"),
        ("https://", "url_parsing"),
        ("https://xn--a/", "url_parsing"),
        ("https://💩.test/v1", "host"),
        ("https://gw.xn--ls8h.test/v1", "host"),
        ("https://gw.test:99999/", "url_parsing"),
        ("https://user@gw.test", "user_info"),
        ("https:/user:secret@gw.test", "user_info"),
        ("wss:user:secret@gw.test", "user_info"),
        (5, "url_type"),
        ("https://" + "a" * 3000, "url_too_long"),
    ],
)
def test_what_is_no_address_is_refused(refused: Refused, given: Any, error: str) -> None:
    """By what was parsed."""
    assert refused(BaseUrl, given) == {"": error}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https:/u:p@h", True),
        ("socks5://u:p@h:1", True),
        ("https://h/u:p@x", False),
        ("https://h?q=u@x", False),
        ("a@b", False),
        ("", False),
        ("https://a b@c", True),
    ],
)
def test_a_user_is_found_whatever_the_slashes(text: str, *, expected: bool) -> None:
    """An @ in a path or a query is none."""
    assert has_user_info(text) is expected
