"""What the user types, on its way from the terminal's thread to the tasks that wait for it."""

import os
import select
import termios
from collections import deque
from typing import Final

import anyio

MAX_WAITING: Final = 256
"""How many lines or keys may wait to be taken."""


class TypedQueue:
    """Lines or keys in the order in which they were typed; filled by the terminal's thread, emptied by one task."""

    def __init__(self) -> None:
        self._waiting: deque[str | None] = deque()
        self._receiving, self._sending = os.pipe()
        os.set_blocking(self._receiving, False)
        os.set_blocking(self._sending, False)
        self.is_awaited = False
        """Whether the task waits for something to be typed."""
        self.has_left = False
        """Whether the user wants to leave."""

    @property
    def waiting(self) -> list[str]:
        """What was typed and not taken yet."""
        return [each for each in tuple(self._waiting) if each is not None]

    def put(self, typed: str) -> bool:
        """Add a line or a key; returns whether there was room for it."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(typed)
        self._wake()
        return True

    def leave(self) -> None:
        """Take it that the user wants to leave, once all is dealt with that was typed before."""
        if not self.has_left:
            self.has_left = True
            self._waiting.append(None)
            self._wake()

    async def next(self) -> str | None:
        """The next line or key, None where the user leaves."""
        self.is_awaited = True
        try:
            while not self._waiting:
                await anyio.wait_readable(self._receiving)
                os.read(self._receiving, MAX_WAITING)
        finally:
            self.is_awaited = False
        return self._waiting.popleft()

    def close(self) -> None:
        """Release what it takes to wake a task; only once nobody types or waits any more."""
        os.close(self._receiving)
        os.close(self._sending)

    def _wake(self) -> None:
        try:
            os.write(self._sending, b"\n")
        except BlockingIOError:
            # The task has not been there for long: it looks before it waits.
            return


class Keyboard(TypedQueue):
    """What is typed, and apart from it each Ctrl-C that is more than a signal.

    Attributes:
        interrupts: Each Ctrl-C while `heeds_interrupts`.
        heeds_interrupts: Whether a task deals with Ctrl-C; otherwise it is the signal that it is at any terminal.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupts = TypedQueue()
        self.heeds_interrupts = False

    def close(self) -> None:
        """Release what it takes to wake the tasks; only once nobody types or waits any more."""
        super().close()
        self.interrupts.close()


def typed_before(descriptor: int) -> tuple[str, bool]:
    """What was typed at a terminal whose driver still edits lines, and whether the user has ended it by Ctrl-D.

    The driver forgets an end of input as soon as it is asked for single keys.
    """
    typed = b""
    if not termios.tcgetattr(descriptor)[3] & termios.ICANON:
        return "", False
    while select.select([descriptor], [], [], 0)[0]:
        piece = os.read(descriptor, 65536)
        if not piece:
            return typed.decode(errors="replace"), True
        typed += piece
    return typed.decode(errors="replace"), False
