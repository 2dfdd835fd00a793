"""Where tools come from: what a source offers, and what comes of a call."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from runner.settings.tool import CallSettings, ToolSettings

JsonObject = dict[str, Any]
HOSTED: Final = "mcp:"
"""What the name of a server that the endpoint calls begins with; no function has such a name."""
NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
"""The schema of a tool that takes no arguments."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as the model is offered it, with the limits of its calls."""

    name: str
    """What the model calls it; one name is offered once."""
    description: str
    parameters: JsonObject
    """JSON Schema of its arguments."""
    settings: CallSettings
    is_client: bool = False
    """Whether its calls are answered elsewhere, by whoever uses the session."""
    entry: JsonObject | None = None
    """What stands in `session.tools` instead of a function: a server that the endpoint calls."""

    @classmethod
    def declared(cls, settings: ToolSettings, *, is_client: bool = False) -> "OfferedTool":
        """A tool as a profile declares it; what it leaves out is empty."""
        description, parameters = settings.description or "", settings.parameters or NO_ARGUMENTS
        return cls(settings.name, description, parameters, settings, is_client)

    @property
    def definition(self) -> JsonObject:
        """The tool as `session.tools` takes it."""
        if self.entry is not None:
            return self.entry
        described = {"description": self.description} if self.description else {}
        return {"type": "function", "name": self.name, **described, "parameters": self.parameters}


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What a source answers to a call: a text for the model."""

    text: str
    is_failed: bool = False
    """Whether the call has failed; the text says why."""
    may_pass: bool = False
    """Whether the same call may succeed later."""
    is_cut: bool = False
    """Whether the text is only the beginning of the result."""


class ToolSource(Protocol):
    """Some tools, and who runs them."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Be there for calls for the length of the block; it is entered and left in one task.

        What opens slowly, or can be lost, comes and goes within the block: its tools are offered when they are known,
        and calls of them are answered meanwhile. A `RunnerError` says that the source can never be opened.
        """
        ...

    def tools(self) -> Sequence[OfferedTool]:
        """The tools that are offered now."""
        ...

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Run one call, whose arguments fit the schema; it is cancelled when its time is up.

        Raises:
            UnfitArguments: They fit the schema, and are wrong all the same.
        """
        ...
