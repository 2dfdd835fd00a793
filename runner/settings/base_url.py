"""The address of a remote endpoint, judged by `rt-run check` and by the handshake alike."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, HttpUrl
from pydantic_core import PydanticCustomError, Url, ValidationError

from runner.settings.hosts import is_spelled_out

_SCHEME = re.compile(r"\A\s*(wss?)(?=:)", re.IGNORECASE)
_HTTP = {"ws": "http", "wss": "https"}
USER_INFO_PROBLEM: Final = "a URL must not carry a user name or password"
"""What is wrong with an address that authenticates by itself, which would win over the credential of `auth`."""


def _written_as_http(value: Any) -> Any:
    """The address with `https` for `wss` and `http` for `ws`, which is how a handshake begins."""
    return _SCHEME.sub(lambda found: _HTTP[found[1].lower()], value) if isinstance(value, str) else value


def _judged(url: HttpUrl) -> HttpUrl:
    if url.username or url.password:
        raise PydanticCustomError("user_info", USER_INFO_PROBLEM)
    if not is_spelled_out(url.host or ""):
        raise PydanticCustomError("host", "has a host with characters that no name may have")
    return url


BaseUrl = Annotated[HttpUrl, BeforeValidator(_written_as_http), AfterValidator(_judged)]
"""An `https://` address, or on loopback `http://`; `wss://` and `ws://` mean the same."""
WebUrl = Annotated[HttpUrl, AfterValidator(_judged)]
"""An `https://` or `http://` address."""


def _with_tls(url: HttpUrl) -> HttpUrl:
    if url.scheme != "https":
        raise PydanticCustomError("https", "must begin with https://")
    return url


TlsUrl = Annotated[BaseUrl, AfterValidator(_with_tls)]
"""An `https://` address, on loopback too."""


def has_user_info(text: str) -> bool:
    """Whether a text is a URL with a user name or a password, however its slashes are written."""
    try:
        url = Url(text)
    except ValidationError:
        return False
    return bool(url.username or url.password)
