"""The limit of open files, in a process of its own."""

import resource
from pathlib import Path

import pytest

from tests.helpers.command_process import Command, local, profile

AWAY = '[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:9/v1"\n[model]\nname = "x"\n'
ONCE = ("--set", "run.reconnect.max_attempts=0")


@pytest.fixture
def limits() -> tuple[int, int]:
    """The soft and the hard limit that the tests run with."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_low_soft_limit_is_raised(tmp_path: Path, limits: tuple[int, int]) -> None:
    """Sessions with a file each, more than the soft limit would take."""
    more = '[[outputs]]\nkind = "events"\npath = "said/{session}.jsonl"\n'
    command = Command("-p", local(tmp_path, more=more), "--set", "run.sessions=80", folder=tmp_path)
    resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, (60, limits[1]))
    ended = command.end("Hello\n")

    assert ended.code == 0
    assert len(list((tmp_path / "said").iterdir())) == 80
    assert "open_files_limited" not in ended.stderr


def test_a_low_hard_limit_is_reported(tmp_path: Path) -> None:
    """Before anything connects, with what is needed and what there is."""
    command = Command("-p", profile(tmp_path, AWAY), "--set", "run.sessions=2", *ONCE, folder=tmp_path)
    resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, (100, 100))
    ended = command.end()

    warning = ended.logged("open_files_limited")
    assert (warning["limit"], warning["needed"]) == (100, 260)
    assert ended.code == 69
