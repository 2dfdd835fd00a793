"""What was typed is kept for the next chat, and no chat ends because it cannot be."""

from pathlib import Path
from typing import Any

import pytest

from runner.inputs.chat_history import MAX_LINES, ChatHistory
from tests.helpers.log_capture import captured_log


def failures(log: list[Any]) -> list[str]:
    """Why the history was not kept, as the log says it."""
    return [line["error"] for line in log if line["event"] == "history_not_kept"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the history is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "rt-run" / "chats"


def typed(*lines: str) -> list[str]:
    """Read the history, type these lines, and return what it had before them."""
    history = ChatHistory("support")
    before = list(history.load_history_strings())
    for line in lines:
        history.append_string(line)
    assert history.get_strings()[-len(lines) :] == list(lines)
    return before


def test_lines_outlive_the_chat_and_are_for_their_owner_only(folder: Path) -> None:
    """The latest comes first."""
    assert typed("one", "two") == []
    assert typed("three") == ["two", "one"]
    assert (folder / "support").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("folder")
def test_a_user_without_a_home_types_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no entry in /etc/passwd."""

    def homeless() -> Path:
        msg = "Could not determine home directory."
        raise RuntimeError(msg)

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with captured_log() as log:
        assert typed("one") == []

    assert failures(log) == ["Could not determine home directory."]


def test_a_history_that_cannot_be_read_is_done_without(folder: Path) -> None:
    """A folder stands in its place."""
    (folder / "support").mkdir(parents=True)
    with captured_log() as log:
        assert typed("one") == []

    assert failures(log) == ["Is a directory"]


def test_a_history_that_cannot_be_written_any_more_is_reported_once(folder: Path) -> None:
    """A full disk, a quota, a folder that has gone: what is typed is said, and kept for this chat."""
    history = ChatHistory("support")
    list(history.load_history_strings())
    (folder / "support").unlink()
    (folder / "support").symlink_to("/dev/full")
    with captured_log() as log:
        history.append_string("one")
        history.append_string("two")

    assert failures(log) == ["No space left on device"]
    assert history.get_strings() == ["one", "two"]


def test_a_place_that_is_no_folder_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one whose name no file can have."""
    (tmp_path / "file").touch()
    reasons = []
    for place in (str(tmp_path / "file"), "/proc/self", "x" * 300):
        monkeypatch.setenv("XDG_STATE_HOME", place)
        with captured_log() as log:
            assert typed("one") == []
        reasons += failures(log)

    assert len(reasons) == 3


def test_a_profile_has_a_history_of_its_own_within_bounds(folder: Path) -> None:
    """What is older is forgotten; a chat that keeps nothing has no file."""
    typed(*map(str, range(MAX_LINES + 201)))

    kept = typed("the latest")
    assert (kept[0], kept[-1]) == (str(MAX_LINES + 200), "201")
    assert len(kept) == MAX_LINES
    assert [each.name for each in folder.iterdir()] == ["support"]
    assert list(ChatHistory("other").load_history_strings()) == []
    assert list(ChatHistory("").load_history_strings()) == []
