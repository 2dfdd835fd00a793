"""The control frames that a connection owes its peer."""

from collections.abc import Callable


class Controls:
    """Frames that wait to be written: the latest of each kind, and none after a close frame.

    Args:
        on_ping: Called when a ping goes out.
    """

    def __init__(self, *, on_ping: Callable[[], None]) -> None:
        self._due: dict[str, bytes] = {}
        self._on_ping = on_ping
        self.is_close_sent = False

    def owe(self, kind: str, frame: bytes) -> None:
        """Let a frame wait, in place of an earlier one of its kind."""
        self._due[kind] = frame

    @property
    def is_close_due(self) -> bool:
        """Whether a close frame waits."""
        return "close" in self._due

    def next(self, *, is_over: bool) -> bytes:
        """The frame to write now, empty for none; when the connection is over, that can only be a close frame."""
        if self.is_close_due:
            self.is_close_sent = True
            return self._due.pop("close")
        if self.is_close_sent or is_over:
            self._due.clear()
        kind, frame = self._due.popitem() if self._due else ("", b"")
        if kind == "ping":
            self._on_ping()
        return frame
