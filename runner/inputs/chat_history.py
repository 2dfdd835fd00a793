"""What was typed in chats, for the next one; a chat goes on without it where it cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.history import FileHistory, History

from runner import logs
from runner.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class ChatHistory(History):
    """Lines in a file for its owner only; where that fails, they are kept for this chat alone and the log says so."""

    def __init__(self) -> None:
        super().__init__()
        self._file: FileHistory | None = None

    def load_history_strings(self) -> Iterable[str]:
        """The lines of earlier chats, the latest first."""
        try:
            path = _path()
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            file = FileHistory(str(path))
            lines = list(file.load_history_strings())
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


def _report(error: Exception) -> None:
    logs.logger().info("history_not_kept", error=reason_of(error))


def _path() -> Path:
    """Where they are kept; raises `RuntimeError` for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "rt-run" / "history"
