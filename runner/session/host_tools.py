"""Functions of the host program that the model may call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.errors import ProfileError
from runner.settings.tool import ClientRun, ToolSettings

if TYPE_CHECKING:
    from runner.tools.python_tool import CallableTool
    from runner.tools.tool_source import CallAnswer, JsonObject, OfferedTool


class HostTools:
    """The functions that a program has offered, each under one name.

    Args:
        declared: The tools of the profile: what one of kind `client` says holds for the function of its name.
    """

    def __init__(self, declared: Sequence[ToolSettings]) -> None:
        self._declared = {each.name: each for each in declared if isinstance(each.run, ClientRun)}
        self._tools: dict[str, CallableTool] = {}
        self._offered: list[OfferedTool] = []

    def add(self, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        """Offer a function, in the place of an earlier one of its name.

        Raises:
            ProfileError: It, or a setting, cannot be used.
        """
        from runner.tools.python_tool import CallableTool

        name = str(settings.get("name") or getattr(function, "__name__", ""))
        declared = self._declared.get(name)
        before = declared.model_dump(exclude_unset=True) if declared else {}
        try:
            limits = ToolSettings.model_validate({**before, "name": name, "run": {"kind": "client"}, **settings})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            msg = f"the tool {name!r} cannot be offered: {wrong}"
            raise ProfileError(msg) from None
        self._tools[name] = CallableTool(
            function, name, limits, description=limits.description, parameters=limits.parameters
        )
        self._offered = [each.offered for each in self._tools.values()]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Nothing needs to be open."""
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """All of them."""
        return self._offered

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Call one of them."""
        return await self._tools[name].call(name, arguments)
