"""Lines of the log in the native protocol of systemd's journal, received as the journal receives them."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner import journald, logs
from runner.logs import Format, Level
from tests.helpers.log_capture import log_restored

Fields = dict[str, str]


class Journal:
    """The journal's end of the protocol: it takes entries apart as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    def entry(self) -> Fields:
        """The next entry, from its datagram or from the file that came with it."""
        data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as file:
                file.seek(0)
                data = file.read()
        fields: Fields = {}
        while data:
            line, _, data = data.partition(b"\n")
            name, assigns, value = line.partition(b"=")
            if not assigns:
                size_bytes = int.from_bytes(data[:8], "little")
                value, data = data[8 : 8 + size_bytes], data[9 + size_bytes :]
            fields[name.decode()] = value.decode()
        return fields


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A journal in place of the machine's, to which standard error leads."""
    listening = Journal(str(tmp_path / "journal"))
    status = os.fstat(2)
    monkeypatch.setattr(journald, "ADDRESS", listening.address)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    yield listening
    listening.socket.close()


@contextmanager
def logging(*, level: Level = "info", form: Format = "auto") -> Iterator[None]:
    """Log as the command does, to standard error as the process has it."""
    with log_restored(), open(2, "w", closefd=False) as stderr, pytest.MonkeyPatch.context() as patched:  # a descriptor
        patched.setattr(sys, "stderr", stderr)
        logs._writer = None
        logs.configure(level=level, format=form)
        yield


def test_a_line_is_an_entry_with_priority_and_fields(journal: Journal) -> None:
    """People read the message, programs the fields; what a text for people says is a failure."""
    with logging(level="debug"):
        with logs.bound(profile="support", run_id="r1", session_id="sess_1"):
            logs.logger().error("run_failed", exit_code=69, error="cannot reach it: no\x1b[2J\nway", codes=["a"])
        for level in ("debug", "info", "warning"):
            getattr(logs.logger(), level)("event")
        logs.tell("rt-run: no such file\n")
    failed, *others, told = [journal.entry() for _ in range(5)]
    assert failed.pop("RT_RUN_TIMESTAMP").endswith("Z")

    assert failed == {
        "MESSAGE": 'run_failed exit_code=69 error="cannot reach it: no[2J\\nway" codes=["a"]',
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "rt-run",
        "RT_RUN_EVENT": "run_failed",
        "RT_RUN_PROFILE": "support",
        "RT_RUN_RUN_ID": "r1",
        "RT_RUN_SESSION_ID": "sess_1",
        "RT_RUN_EXIT_CODE": "69",
        "RT_RUN_ERROR": "cannot reach it: no[2J\nway",
        "RT_RUN_CODES": '["a"]',
    }
    assert [each["PRIORITY"] for each in others] == ["7", "6", "4"]
    assert told == {"MESSAGE": "rt-run: no such file", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "rt-run"}


@pytest.mark.parametrize(("form", "begins"), [("json", '{"timestamp": "'), ("auto", "internal_error where=here\n")])
def test_an_entry_of_any_size_arrives_whole(journal: Journal, form: Format, begins: str) -> None:
    """One that is larger than a datagram comes as a file; JSON that is asked for is the message."""
    with logging(form=form):
        try:
            int("odd")
        except ValueError:
            logs.logger().exception("internal_error", where="here", problems=["x" * 1000 for _ in range(500)])
    entry = journal.entry()

    assert entry["MESSAGE"].startswith(begins.partition("\n")[0])
    assert "ValueError: invalid literal" in entry["RT_RUN_EXCEPTION"]
    assert len(entry["RT_RUN_PROBLEMS"]) > 500_000


def test_what_is_dropped_is_an_entry_too(journal: Journal) -> None:
    """It has the priority of a warning."""
    with logging():
        entry = logs._line_of_dropped(3)

    assert entry.startswith(b"MESSAGE=log_lines_dropped count=3\nPRIORITY=4\n")
    assert journal.address


def test_a_journal_that_is_away_loses_only_what_it_misses(tmp_path: Path) -> None:
    """The failure is told once all entries were tried, and the next ones arrive."""
    target = journald.JournaldTarget(str(tmp_path / "journal"))
    with pytest.raises(FileNotFoundError):
        target.write([b"MESSAGE=a\n", b"MESSAGE=b\n"])
    back = Journal(str(tmp_path / "journal"))
    target.write([b"MESSAGE=c\n"])

    assert back.entry() == {"MESSAGE": "c"}
    back.socket.close()


@pytest.mark.parametrize("stream", ["", "0:0", "odd"])
def test_another_stream_is_no_journal(monkeypatch: pytest.MonkeyPatch, journal: Journal, stream: str) -> None:
    """A file to which a unit's standard error was redirected gets lines, as ever."""
    assert journald.is_journal(2)
    monkeypatch.setenv("JOURNAL_STREAM", stream)

    assert journal.address
    assert not journald.is_journal(2)
