"""What the tests of connections share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.log_capture import log_restored
from tests.helpers.transport_peers import Pki, make_pki


@pytest.fixture(params=["asyncio", "trio", pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop")])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run each `anyio` test on every loop that connections are opened on."""
    return request.param


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for localhost, made for this run."""
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the proxies of the machine out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _what_is_hidden() -> Iterator[None]:
    """Forget after each test what it has hidden from the logs."""
    with log_restored():
        yield
