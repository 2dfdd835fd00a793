"""What every test may use, and how the tests share the machine."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

REPOSITORY = Path(__file__).resolve().parent.parent
TESTS = REPOSITORY / "tests"
WAITING = frozenset({"connect", "deploy", "endurance", "inputs", "local", "outputs", "runs", "session"})
"""The rooms whose tests wait more than they compute; in the others a worker takes longer to start than it saves."""
WORKERS_A_CORE = 2
MOST_WORKERS = 12

# An example that takes long on a busy machine is none that fails.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the suite, and rooms that wait, on more workers than cores; other rooms and single files on none.

    Returns:
        How many processes to start; with 0 the tests run in pytest's own.
    """
    paths = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if any(TESTS.is_relative_to(path) or (path.is_dir() and path.name in WAITING) for path in paths):
        return min(WORKERS_A_CORE * (os.cpu_count() or 1), MOST_WORKERS)
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker ends with it alone; give what measures time to one worker."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if item.get_closest_marker("timing"):
            item.add_marker(pytest.mark.xdist_group("timing"))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each `anyio` test on both event loops."""
    return str(request.param)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that the tests run in."""
    return REPOSITORY
