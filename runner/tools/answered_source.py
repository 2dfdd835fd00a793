"""A source some of whose tools are answered with texts that are known before: for trials of a profile."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.settings.tool import ClientRun, PythonRun
from runner.tools.profile_tools import profile_sources
from runner.tools.tool_source import CallAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.settings.profile import Profile
    from runner.settings.tool import ToolSettings
    from runner.tools.tool_source import JsonObject, OfferedTool, ToolSource


class AnsweredSource:
    """Offers what another source offers, and answers calls of some tools in its place.

    Args:
        source: The other source.
        answers: The answers, by the names of the tools.
    """

    def __init__(self, source: ToolSource, answers: Mapping[str, CallAnswer]) -> None:
        self._source = source
        self._answers = answers

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Be there for calls, as the other source is."""
        return self._source.serving()

    def tools(self) -> Sequence[OfferedTool]:
        """What the other source offers; what is answered here waits for nobody."""
        return [replace(each, is_client=False) if each.name in self._answers else each for each in self._source.tools()]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Answer, or have the other source run the call."""
        return self._answers[name] if name in self._answers else await self._source.call(name, arguments)


def answered_sources(profile: Profile, answers: Mapping[str, CallAnswer]) -> list[ToolSource]:
    """The sources of a profile's tools, some of which are answered; what runs these need not exist."""

    def declared(settings: ToolSettings) -> ToolSettings:
        # What a function offers, only the function itself knows.
        if settings.name not in answers or isinstance(settings.run, PythonRun):
            return settings
        return settings.model_copy(update={"run": ClientRun(kind="client")})

    profile = profile.model_copy(update={"tools": [declared(each) for each in profile.tools]})
    return [AnsweredSource(each, answers) for each in profile_sources(profile)]
