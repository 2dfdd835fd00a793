"""The switch of an input: whether what comes in goes to the session."""

from __future__ import annotations

from typing import Literal

from runner.connect.changes import Changes


class InputSwitch:
    """Whether an input goes in, and whether as silence; whoever minds the session sets it, the input obeys.

    Args:
        can_mute: Whether the input is sound, and live, so that silence can take its place.
    """

    def __init__(self, *, can_mute: bool = False) -> None:
        self.can_mute = can_mute
        self.is_stopped = False
        """Whether nothing goes in; what can wait, waits."""
        self.is_muted = False
        """Whether silence goes in."""
        self._changes = Changes()

    @property
    def state(self) -> Literal["started", "stopped", "muted"]:
        """What becomes of the input."""
        return "stopped" if self.is_stopped else "muted" if self.is_muted else "started"

    def start(self) -> None:
        """Let the input go in again."""
        self.is_stopped = False
        self._changes.notify()

    def stop(self) -> None:
        """Let nothing more go in."""
        self.is_stopped = True

    def mute(self) -> None:
        """Let silence go in."""
        self.is_muted = True

    def unmute(self) -> None:
        """Let sound go in again."""
        self.is_muted = False

    async def started(self) -> None:
        """Wait until the input may go in."""
        while self.is_stopped:
            await self._changes.next()
