"""What was typed in chats, for the next one; a chat goes on without it where it cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prompt_toolkit.history import FileHistory, History

from runner import logs
from runner.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES: Final = 1000
"""How many lines are kept."""
_SURPLUS: Final = 200
"""So many more make it worth writing the file anew."""


class ChatHistory(History):
    """Lines in a file for its owner only; where that fails, they are kept for this chat alone and the log says so.

    Args:
        profile: The name of the profile, which has a file of its own; nothing keeps them for this chat alone.
    """

    def __init__(self, profile: str) -> None:
        super().__init__()
        self._profile = profile
        self._file: FileHistory | None = None

    def load_history_strings(self) -> Iterable[str]:
        """The lines of earlier chats, the latest first."""
        if not self._profile:
            return []
        try:
            path = _folder() / self._profile
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            file = FileHistory(str(path))
            lines = list(file.load_history_strings())
            if len(lines) > MAX_LINES + _SURPLUS:
                lines = lines[:MAX_LINES]
                _write_anew(path, lines)
        except (OSError, RuntimeError, ValueError) as error:
            _report(error)
            return []
        self._file = file
        return lines

    def store_string(self, string: str) -> None:
        """Keep a line."""
        if self._file is not None:
            try:
                self._file.store_string(string)
            except (OSError, ValueError) as error:
                self._file = None
                _report(error)


def _write_anew(path: Path, lines: list[str]) -> None:
    """Replace the file by one of these lines, the latest first."""
    begun = path.with_name(f".{path.name}.{os.getpid()}")
    begun.touch(mode=0o600)
    try:
        file = FileHistory(str(begun))
        for line in reversed(lines):
            file.store_string(line)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)


def _report(error: Exception) -> None:
    logs.logger().info("history_not_kept", error=reason_of(error))


def _folder() -> Path:
    """Where they are kept; raises `RuntimeError` for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "rt-run" / "chats"
