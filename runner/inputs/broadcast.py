"""One standard input for all sessions that share it."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio

from runner.errors import InputError
from runner.inputs.stdin import Line, check_length, lines, samples

MAX_BEHIND_BYTES = 64 * 1024 * 1024
"""How far a session may fall behind the fastest one, in bytes; no more than this is held, whatever their number."""

_AHEAD_BYTES = 64 * 1024
"""How much is read ahead of the listeners, in bytes, so that short lines do not cost a change of tasks each."""

_LINE_OVERHEAD_BYTES = 256
"""What holding a line takes besides its text."""


class Broadcast:
    """Gives every line to every listener, and holds it once until the last of them has taken it.

    It reads on only when a listener has taken everything, or nearly so: the fastest listener sets the pace.

    Args:
        descriptor: The file descriptor to read.
        max_line_bytes: The longest line that any listener takes.
        max_behind_bytes: How far a listener may fall behind the fastest before it loses lines.
        is_audio: Whether the descriptor brings 16-bit samples, which are not read before a listener asks for them.

    Attributes:
        held_bytes: The size of what is held for listeners that have not taken it yet.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        max_line_bytes: int,
        max_behind_bytes: int = MAX_BEHIND_BYTES,
        is_audio: bool = False,
    ) -> None:
        self._pieces = samples(descriptor) if is_audio else lines(descriptor, max_line_bytes=max_line_bytes)
        self._ahead_bytes = 1 if is_audio else _AHEAD_BYTES
        self._max_behind_bytes = max_behind_bytes
        self._held: dict[int, _Held] = {}
        self._first = self._end = 0
        self.held_bytes = 0
        self._listeners = 0
        self._error: InputError | None = None
        self._is_over = False
        self._demand = anyio.Event()
        self._arrival = anyio.Event()

    def listen(self, *, max_line_bytes: int | None = None) -> "InputListener":
        """A listener to every line that is read from now on, until it is closed.

        Args:
            max_line_bytes: The longest line that it takes; None sets no bound.
        """
        self._listeners += 1
        return InputListener(self, self._end, max_line_bytes)

    async def run(self) -> None:
        """Read to the end of the input or to an error, and hand either on to every listener."""
        try:
            async with aclosing(self._pieces) as source:
                await self._demand.wait()
                async for line in source:
                    self._hold(line)
                    self._notify()
                    if self.held_bytes >= self._ahead_bytes or not self._listeners:
                        self._demand = anyio.Event()
                        await self._demand.wait()
        except InputError as error:
            self._error = error
        self._is_over = True
        self._notify()

    async def line(self, index: int) -> Line | None:
        """The line with this index, counted from 0, or None at the end.

        Raises:
            InputError: the listener fell too far behind, or reading has failed.
        """
        while index >= self._end and not self._is_over:
            self._demand.set()
            await self._arrival.wait()
        if index < self._first:
            msg = f"the session fell more than {self._max_behind_bytes} bytes behind the others on standard input"
            raise InputError(msg, hint="the fastest session sets the pace; feed this one in a process of its own")
        if index < self._end:
            held = self._held[index]
            held.takers -= 1
            self._trim()
            return held.line
        if self._error is not None:
            raise InputError(self._error.message, hint=self._error.hint)
        return None

    def leave(self, index: int) -> None:
        """Hold nothing more for a listener whose next line has this index."""
        self._listeners -= 1
        for each in range(max(index, self._first), self._end):
            self._held[each].takers -= 1
        self._trim()

    def _hold(self, line: Line) -> None:
        self._held[self._end] = _Held(line, self._listeners)
        self.held_bytes += _size_bytes(line)
        self._end += 1
        self._trim()

    def _trim(self) -> None:
        """Release the lines that every listener has taken, and the oldest of those that exceed the bound."""
        while held := self._held.get(self._first):
            is_too_much = self.held_bytes > self._max_behind_bytes and self._end - self._first > 1
            if held.takers and not is_too_much:
                break
            del self._held[self._first]
            self.held_bytes -= _size_bytes(held.line)
            self._first += 1

    def _notify(self) -> None:
        self._arrival.set()
        self._arrival = anyio.Event()


class InputListener:
    """The lines of a broadcast for one session, with their numbers, from 1.

    Args:
        broadcast: Where the lines come from.
        index: The first line that it gets, counted from 0.
        max_line_bytes: The longest line that this session takes; None sets no bound.
    """

    def __init__(self, broadcast: Broadcast, index: int, max_line_bytes: int | None) -> None:
        self._broadcast = broadcast
        self._index = index
        self._max_line_bytes = max_line_bytes
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[Line]:
        return self

    async def __anext__(self) -> Line:
        if self._is_closed or (line := await self._broadcast.line(self._index)) is None:
            raise StopAsyncIteration
        self._index += 1
        if self._max_line_bytes is not None:
            check_length(*line, self._max_line_bytes)
        return line

    def close(self) -> None:
        """Take no more lines; none is held for this session any longer."""
        if not self._is_closed:
            self._is_closed = True
            self._broadcast.leave(self._index)


class _Held:
    """A line, and the number of listeners that have yet to take it."""

    __slots__ = ("line", "takers")

    def __init__(self, line: Line, takers: int) -> None:
        self.line = line
        self.takers = takers


def _size_bytes(line: Line) -> int:
    return len(line[1]) + _LINE_OVERHEAD_BYTES
