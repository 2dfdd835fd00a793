"""Where a process answers whoever watches it from outside."""

from typing import Annotated

from pydantic import AfterValidator, Field

from runner.api.strict import Section

_MOST_PORTS = 65_535


def split_address(listen: str) -> tuple[str, int]:
    """The host and the port of `HOST:PORT`; raises `ValueError`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > _MOST_PORTS:
        msg = 'it is HOST:PORT, such as "127.0.0.1:9464"'
        raise ValueError(msg)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen_address(listen: str) -> str:
    split_address(listen)
    return listen


class HttpSettings(Section):
    """Where the process answers `/livez`, `/readyz` and `/metrics`; all profiles of a process share it."""

    listen: Annotated[str, AfterValidator(_listen_address)] = "127.0.0.1:9464"
    """The address, `HOST:PORT`; one that is not of this machine alone, such as `0.0.0.0:9464`, answers everybody who
    reaches it."""
    reconnect_grace_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """How long a session may be without a connection before `/readyz` says that it is not ready, in seconds."""
