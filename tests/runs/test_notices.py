"""The notices of several runs, in virtual time, to a service manager on a real socket."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from runner.runs.life_cycle import Phase
from runner.runs.notices import Notices
from runner.runs.whereabouts import Whereabouts
from tests.helpers.log_capture import captured_log
from tests.helpers.service_manager import ServiceManager
from tests.helpers.virtual_time import in_virtual_time


class Place(Whereabouts):
    """A place that is as a test says."""

    is_between = False
    is_unminded = False


class Run:
    """A run that is open."""

    status = "open"

    def __init__(self) -> None:
        self.whereabouts = Place()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    """A service manager that watches."""
    listening = ServiceManager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield listening
    listening.socket.close()


def test_several_runs_have_one_status_and_one_watchdog(manager: ServiceManager) -> None:
    """A session between two connections is not open; life is in doubt only where nobody minds any connection."""
    runs = [Run(), Run()]
    first, second = (run.whereabouts for run in runs)

    async def live() -> None:
        notices = Notices(runs, within_s=5)
        notices.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notices.run)
            for _ in runs:
                notices.note(Phase.OPENING, Phase.LIVE)
            await anyio.sleep(1.5)
            first.is_between = first.is_unminded = True
            await anyio.sleep(1)
            first.is_between = False
            await anyio.sleep(1)
            before = manager.drained().count("WATCHDOG=1")
            second.is_unminded = True
            await anyio.sleep(10)
            stuck = manager.drained().count("WATCHDOG=1")
            second.is_unminded = False
            await anyio.sleep(1)
            assert (before, stuck, manager.drained().count("WATCHDOG=1")) == (4, 0, 1)
            tasks.cancel_scope.cancel()

    with captured_log() as log:
        in_virtual_time(live)

    said = [line for message in manager.messages for line in message]
    assert [line for line in said if not line.startswith(("WATCHDOG", "EXTEND"))] == [
        "STATUS=0 of 2 sessions open",
        "READY=1",
        "STATUS=2 of 2 sessions open",
        "STATUS=1 of 2 sessions open, 1 reconnecting",
        "STATUS=2 of 2 sessions open",
    ]
    assert [line["event"] for line in log] == ["watchdog_withheld"]


@pytest.mark.parametrize(("name", "value"), [("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "soon"), ("NOTIFY_SOCKET", "")])
def test_a_watchdog_of_another_process_is_not_fed(
    manager: ServiceManager, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Nor one that is set to nonsense, or where nobody listens."""
    monkeypatch.setenv(name, value)

    async def live() -> None:
        with anyio.move_on_after(30):
            await Notices([Run()], within_s=5).run()

    in_virtual_time(live)

    assert "WATCHDOG=1" not in manager.drained()
