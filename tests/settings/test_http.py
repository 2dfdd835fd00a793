"""The address where a process answers whoever watches it."""

import pytest
from pydantic import ValidationError

from runner.settings.http import HttpSettings, split_address


@pytest.mark.parametrize(
    ("listen", "parts"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_an_address_has_a_host_and_a_port(listen: str, parts: tuple[str, int]) -> None:
    """IPv6 in brackets, as everywhere."""
    assert split_address(HttpSettings(listen=listen).listen) == parts


@pytest.mark.parametrize("listen", ["9464", ":9464", "host:", "host:http", "host:65536", "host:-1", "host:٣"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    """The message says what one looks like."""
    with pytest.raises(ValidationError, match=r"HOST:PORT, such as"):
        HttpSettings(listen=listen)
