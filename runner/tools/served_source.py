"""A source of tools that is open: for as long as it is offered, and until the calls that it has begun are over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

import anyio

from runner import logs

if TYPE_CHECKING:
    from runner.connect.changes import Changes
    from runner.tools.tool_source import OfferedTool, ToolSource


class _Servable(Protocol):
    """What is open for the length of a block, which is entered and left in one task."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Open it for the length of the block."""
        ...


class Served:
    """What calls need, in one task from its opening to its close.

    Args:
        servable: What is to be open.
        changes: Notified when it is open, or can never be.

    Attributes:
        is_open: Whether it is, or was.
        failure: Why it can never be opened.
    """

    def __init__(self, servable: _Servable, changes: Changes) -> None:
        self.is_open = False
        self.failure: Exception | None = None
        self._servable = servable
        self._changes = changes
        self._calls = 0
        self._is_retired = False
        self._scope = anyio.CancelScope()

    async def serve(self) -> None:
        """Open it, and keep it open until it is retired and its calls are over."""
        try:
            with self._scope:
                async with self._servable.serving():
                    self.is_open = True
                    self._changes.notify()
                    await anyio.sleep_forever()
        except Exception as error:  # noqa: BLE001  # who waits for it raises it; later, calls answer for what it offers
            if self.is_open:
                logs.logger().error("tool_source_broken", exc_info=error)
            else:
                self.failure = error
                self._changes.notify()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it open for the length of a call."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._close_unused()

    def retire(self) -> None:
        """Close it once its calls are over; it is offered no more."""
        self._is_retired = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_retired and not self._calls:
            self._scope.cancel()


class ServedSource(Served):
    """A source of tools that is served.

    Args:
        source: The source.
        changes: Notified when it is open, or can never be.

    Attributes:
        source: As above.
    """

    def __init__(self, source: ToolSource, changes: Changes) -> None:
        super().__init__(source, changes)
        self.source = source


def offered_by(served: Sequence[ServedSource]) -> dict[str, tuple[OfferedTool, ServedSource]]:
    """The tools of some sources by their names, each with its source; of two with one name, the first."""
    found: dict[str, tuple[OfferedTool, ServedSource]] = {}
    for each in served:
        for tool in each.source.tools():
            found.setdefault(tool.name, (tool, each))
    return found
