"""What the tests of tools share."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough where programs, threads and servers do the work."""
    return "asyncio"
