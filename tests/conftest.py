"""What every test may use, and how the tests share the machine."""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test
from hypothesis import settings as hypothesis_settings

from tests.helpers.forked_process import forker
from tests.helpers.forked_suite import ForkedSuite
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let it be said how many processes run the tests."""
    parser.addoption("--workers", type=int, metavar="COUNT", help="how many processes run the tests; 0: pytest's own")


def _workers(config: pytest.Config) -> int:
    """How many processes run the tests: several a core for the suite and for rooms that wait; 0 is pytest's own."""
    if config.option.usepdb or config.option.collectonly:
        return 0
    if (asked := config.option.workers) is not None:
        return int(asked)
    if any(TESTS.is_relative_to(path) or (path.is_dir() and path.name in WAITING) for path in _paths(config)):
        return min(WORKERS_A_CORE * (os.cpu_count() or 1), MOST_WORKERS)
    return 0


def _waits(nodeid: str) -> bool:
    """Whether a test is one of those that wait more than they compute."""
    _, room, *file = nodeid.partition("::")[0].split("/")
    return not file or room in WAITING


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let the other core of a fresh checkout rewrite the asserts of half the files, if all are to be collected."""
    gc.disable()  # until all is collected, which leaves no garbage
    if not _workers(session.config) or sys.dont_write_bytecode or any(TESTS.glob("*/__pycache__/test_*")):
        return
    files = sorted(
        {file for path in _paths(session.config) for file in TESTS.rglob("test_*.py") if file.is_relative_to(path)}
    )
    other = multiprocessing.get_context("fork").Process(target=_import, args=(files[::2],))
    other.start()
    _import(files[1::2])
    other.join()


def _import(files: list[Path]) -> None:
    for file in files:
        with suppress(Exception, pytest.skip.Exception):  # the collection will say it
            importlib.import_module(".".join(file.relative_to(REPOSITORY).with_suffix("").parts))


def _shares(items: list[pytest.Item]) -> list[list[int]]:
    """The indexes of items that one process runs: tests that share a bed, or take less than handing out, by file."""
    shares: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        path = item.nodeid.partition("::")[0]
        shares.setdefault(path if path in SHARED_BEDS or not _waits(item.nodeid) else item.nodeid, []).append(index)
    return list(shares.values())


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in several processes."""
    if session.testsfailed or not (workers := _workers(session.config)):
        return None
    forker()  # for all of them, or each would start one of its own
    if reporter := session.config.pluginmanager.getplugin("terminalreporter"):
        reporter.showfspath = False  # they come in no order
    ForkedSuite(session, _shares(session.items), workers).run()
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker ends with it alone; then let some wait while others compute."""
    places = dict.fromkeys(items, 0.0)
    if _workers(config):
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
