"""A state file belongs to one process, and what is written in it stays."""

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import InputError, OutputError
from runner.resume.state_file import StateFile


@contextmanager
def full_after(size_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond this, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_appended_is_there_and_its_owners_alone(tmp_path: Path) -> None:
    """Folders are made, nobody else may read, and another start finds what was written."""
    path = tmp_path / "a" / "state"
    file = StateFile(path)
    file.append(b"one\n")
    file.append(b"two\n")
    file.close()
    path.chmod(0o644)
    again = StateFile(path)
    again.hide()

    assert again.read() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again.close()


def test_two_processes_never_have_one_state(tmp_path: Path) -> None:
    """Whoever comes second is refused, also after the first has replaced the file, and until it is closed."""
    path = tmp_path / "state"
    first = StateFile(path)
    with pytest.raises(OutputError, match="in use") as refused:
        StateFile(path)
    first.replace(b"new\n")
    with pytest.raises(OutputError, match="in use"):
        StateFile(path)
    first.append(b"more\n")
    first.close()
    second = StateFile(path)

    assert second.read() == b"new\nmore\n"
    assert "end that one first" in refused.value.hint
    second.close()


def test_who_has_opened_the_file_that_was_replaced_opens_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, the owner may have replaced the file, and have gone."""
    path = tmp_path / "state"
    path.write_bytes(b"old\n")
    lock, once = StateFile._lock, iter([True])

    def replaced_first(file: StateFile, opened: object) -> None:
        if next(once, False):
            (tmp_path / "new").write_bytes(b"new\n")
            (tmp_path / "new").replace(path)
        lock(file, opened)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(StateFile, "_lock", replaced_first)
    file = StateFile(path)
    file.append(b"more\n")

    assert path.read_bytes() == b"new\nmore\n"
    file.close()


def test_a_full_disk_takes_nothing_away(tmp_path: Path) -> None:
    """What does not fit is not there in half, and neither a line nor a second file costs what was there before."""
    path = tmp_path / "state"
    file = StateFile(path)
    file.append(b"x" * 99 + b"\n")
    with full_after(150):
        with pytest.raises(OutputError, match="cannot be written") as full:
            file.append(b"y" * 99 + b"\n")
        with pytest.raises(OutputError):
            file.replace(b"z" * 199 + b"\n")
        file.append(b"small\n")
    file.close()

    assert path.read_bytes() == b"x" * 99 + b"\nsmall\n"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert "still there" in full.value.hint


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A device, a folder and a link are no place for a state."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path, kind in ((Path("/dev/null"), InputError), (tmp_path, OutputError), (tmp_path / "link", OutputError)):
        with pytest.raises(kind):
            StateFile(path)


def test_a_file_that_was_being_rewritten_is_removed(tmp_path: Path) -> None:
    """The process was ended before its new file took the place of the old one."""
    (tmp_path / ".state.new").write_bytes(b"half")
    StateFile(tmp_path / "state").close()

    assert [each.name for each in tmp_path.iterdir()] == ["state"]
