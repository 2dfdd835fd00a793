"""What the model is answered, and how a call has ended."""

from typing import Literal, NamedTuple

Outcome = Literal["ok", "failed", "timed-out", "invalid", "unknown", "busy", "denied", "cancelled", "interrupted"]
"""How a call has ended: `invalid` arguments, an `unknown` tool, `busy` where its turn did not come in time; `denied`
and `cancelled` are said by who has not let it begin, `interrupted` where the process that ran it has ended."""


class ToolResult(NamedTuple):
    """The result of one call."""

    output: str
    """The text for the model, whatever the outcome is."""
    outcome: Outcome
    duration_s: float = 0.0
    """The time from the call to its result, in seconds, waiting included."""
    is_cut: bool = False
    """Whether the output is only the beginning of what came."""
    attempts: int = 1
    """How often it was tried; 0 where nothing was run."""
