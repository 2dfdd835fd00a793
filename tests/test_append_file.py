"""Files that sessions append to are their owner's, and lead nowhere else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.append_file import make_folder, not_opened, open_append
from tests.helpers.log_capture import captured_log


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    """Hide nothing that a mode of ours would leave open."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_files_and_their_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    """Whatever the umask; folders that are there stay as they are."""
    tmp_path.chmod(0o755)
    open_append(tmp_path / "a" / "b" / "c.jsonl").close()

    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in (".", "a", "a/b", "a/b/c.jsonl")]
    assert modes == [0o755, 0o700, 0o700, 0o600]


def test_a_file_that_others_can_read_is_reported(tmp_path: Path) -> None:
    """Its owner may have meant it: it is written to as it is."""
    path = tmp_path / "x"
    path.touch(mode=0o644)
    with captured_log() as log:
        open_append(path).close()
        open_append(tmp_path / "y").close()

    assert [(line["event"], line["mode"]) for line in log] == [("file_readable_by_others", "0644")]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_not_followed(tmp_path: Path, *, is_there: bool) -> None:
    """Whoever may write into the folder could have laid it to any file of the user's."""
    victim = tmp_path / "victim"
    if is_there:
        victim.write_text("precious")
    (tmp_path / "x").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link") as raised:
        open_append(tmp_path / "x")

    assert not_opened("the file x", raised.value).message == "the file x cannot be opened: it is a symbolic link"
    assert (victim.read_text() if is_there else "") == ("precious" if is_there else "")


def test_the_names_of_open_files_are_links_that_are_followed(tmp_path: Path) -> None:
    """`/dev/fd/N` is how a shell hands over what to write to."""
    descriptor = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT, mode=0o600)
    with open_append(Path(f"/dev/fd/{descriptor}")) as file:
        file.write(b"written")
    os.close(descriptor)

    assert (tmp_path / "x").read_bytes() == b"written"


def test_a_folder_of_two_sessions_is_made_once(tmp_path: Path) -> None:
    """A folder that another has made meanwhile is no failure."""
    make_folder(tmp_path / "a")
    make_folder(tmp_path / "a")

    assert (tmp_path / "a").is_dir()
