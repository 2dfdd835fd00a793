"""What is known of calls beyond this process: whether one was begun, and how it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.protocol.effects import FunctionCalled
    from runner.tools.tool_result import ToolResult


class CallLedger:
    """Knows nothing, since no other process goes on with the session."""

    def left(self, _call: FunctionCalled, *, may_run_again: bool) -> ToolResult | None:
        """How a call has ended that an earlier process has begun; None for one that is to be run.

        Args:
            _call: The call.
            may_run_again: Whether a call of this tool does no harm when it is done twice.
        """
        return None

    async def begin(self, call: FunctionCalled) -> None:
        """Wait until it is known that a call begins; raises `OutputError` where that cannot be written down."""

    async def end(self, call: FunctionCalled, result: ToolResult) -> None:
        """Wait until it is known how a call has ended; raises as `begin` does."""
