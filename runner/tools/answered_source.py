"""A source some of whose tools are answered with texts that are known before: for trials of a profile."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runner.settings.tool import ClientRun, PythonRun
from runner.tools.profile_tools import profile_sources
from runner.tools.tool_source import CallAnswer, JsonObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.settings.profile import Profile
    from runner.settings.tool import ToolSettings
    from runner.tools.tool_source import OfferedTool, ToolSource


class KnownAnswer(NamedTuple):
    """An answer, and the arguments of the calls that it is for; they may have others too."""

    arguments: JsonObject
    answer: CallAnswer


class AnsweredSource:
    """Offers what another source offers, and answers calls of some tools in its place.

    Args:
        source: The other source.
        answers: The answers, by the names of the tools; the first that is for a call is given.
    """

    def __init__(self, source: ToolSource, answers: Mapping[str, Sequence[KnownAnswer]]) -> None:
        self._source = source
        self._answers = answers

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Be there for calls, as the other source is."""
        return self._source.serving()

    def tools(self) -> Sequence[OfferedTool]:
        """What the other source offers; what is answered here waits for nobody."""
        return [replace(each, is_client=False) if each.name in self._answers else each for each in self._source.tools()]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Answer, or have the other source run the call; one that no answer is for fails."""
        if name not in self._answers:
            return await self._source.call(name, arguments)
        for expected, answer in self._answers[name]:
            if all(key in arguments and arguments[key] == value for key, value in expected.items()):
                return answer
        return CallAnswer("There is no answer to these arguments.", is_failed=True)


def answered_sources(profile: Profile, answers: Mapping[str, Sequence[KnownAnswer]]) -> list[ToolSource]:
    """The sources of a profile's tools, some of which are answered; what runs these need not exist."""

    def declared(settings: ToolSettings) -> ToolSettings:
        # What a function offers, only the function itself knows.
        if settings.name not in answers or isinstance(settings.run, PythonRun):
            return settings
        return settings.model_copy(update={"run": ClientRun(kind="client")})

    profile = profile.model_copy(update={"tools": [declared(each) for each in profile.tools]})
    return [AnsweredSource(each, answers) for each in profile_sources(profile)]
