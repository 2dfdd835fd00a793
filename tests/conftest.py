"""What every test may use, and how the tests share the machine."""

import gc
import importlib
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from tests.helpers.forked_process import forker
from tests.helpers.log_capture import log_restored

REPOSITORY = Path(__file__).resolve().parent.parent
TESTS = REPOSITORY / "tests"
WAITING = frozenset({"connect", "deploy", "endurance", "inputs", "local", "outputs", "runs", "session"})
"""The rooms whose tests wait more than they compute; in the others a worker takes longer to start than it saves."""
WORKERS_A_CORE = 3
MOST_WORKERS = 12
SHARED_BEDS = frozenset(
    {"tests/deploy/test_systemd.py", "tests/session/test_connection_check.py", "tests/test_distribution.py"}
)
"""The files whose tests share something that takes long to set up."""

# The same examples in every run, so that no verdict is luck; an example that takes long on a busy machine is none that
# fails. `--hypothesis-profile=explore` looks for others.
hypothesis_settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("same", hypothesis_settings.get_profile("explore"), derandomize=True)
hypothesis_settings.load_profile("same")


def _paths(config: pytest.Config) -> list[Path]:
    """What pytest was asked to run."""
    return [Path(argument.partition("::")[0]).resolve() for argument in config.args]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the suite, and rooms that wait, on more workers than cores; other rooms and single files on none.

    Returns:
        How many processes to start; with 0 the tests run in pytest's own.
    """
    if any(TESTS.is_relative_to(path) or (path.is_dir() and path.name in WAITING) for path in _paths(config)):
        return min(WORKERS_A_CORE * (os.cpu_count() or 1), MOST_WORKERS)
    return 0


def _waits(nodeid: str) -> bool:
    """Whether a test is one of those that wait more than they compute."""
    _, room, *file = nodeid.partition("::")[0].split("/")
    return not file or room in WAITING


def pytest_xdist_setupnodes() -> None:
    """Start the forker of commands before the workers, or each would start one of its own."""
    forker()


class RoomScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out tests that wait one by one; those that share a bed, or take less than handing out, a file at a time."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path in SHARED_BEDS or not _waits(nodeid) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Schedule the tests, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return RoomScheduling(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let each worker of a fresh checkout rewrite the asserts of some files, which then the others find done."""
    gc.disable()  # until all is collected, which leaves no garbage
    if (worker := getattr(session.config, "workerinput", None)) is None:
        return
    files = sorted(
        {file for path in _paths(session.config) for file in TESTS.rglob("test_*.py") if file.is_relative_to(path)}
    )
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with suppress(Exception, pytest.skip.Exception):  # the collection will say it
            importlib.import_module(".".join(file.relative_to(REPOSITORY).with_suffix("").parts))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker ends with it alone; then let some wait while others compute."""
    places = dict.fromkeys(items, 0.0)
    if hasattr(config, "workerinput"):
        rooms: dict[str, list[pytest.Item]] = {}
        for item in items:
            rooms.setdefault(item.nodeid.split("/")[1], []).append(item)
        for room in rooms.values():
            places |= {item: number / len(room) for number, item in enumerate(room)}
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")  # tracing it takes long, and its lines are those of other tests
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, places[item]))


def pytest_collection_finish() -> None:
    """Keep the collector from going through thousands of collected tests, again and again, while they run."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let `no_cover` hold for the programs that a test starts, too."""
    covered = os.environ.pop("COVERAGE_PROCESS_CONFIG", None) if item.get_closest_marker("no_cover") else None
    try:
        return (yield)
    finally:
        if covered is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = covered


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Leave the log to the next test as this one has found it, in whatever order they run."""
    with log_restored():
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each `anyio` test on both event loops."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """Unblock what a run leaves blocked at its end, or no program of a later test would hear a signal."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that the tests run in."""
    return REPOSITORY
