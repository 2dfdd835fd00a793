"""What the local endpoint says and calls by a script."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from runner.api.strict import Section


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        msg = f"not a regular expression: {error}"
        raise ValueError(msg) from None
    return value


class ScriptedCall(Section):
    """One call of a function, as the local endpoint's script makes it."""

    name: Annotated[str, Field(min_length=1)]
    """The function; one that the session does not offer is called all the same, as models do at times."""
    arguments: dict[str, JsonValue] | str = {}
    """The arguments; groups of the match stand in their texts as in `reply`. A text is sent as it is, JSON or not."""
    server: str = ""
    """The label of the MCP server whose tool it is; the call is simulated, and no server is asked."""
    output: str = ""
    """What the server answers, or why the call fails."""
    fails: bool = False
    """Whether the call of the server fails."""


class ScriptedReply(Section):
    """One row of the local endpoint's script."""

    match: Annotated[str, Field(min_length=1), AfterValidator(_pattern)] | None = None
    """A regular expression, searched in the user's text without regard to case."""
    output: Annotated[str, Field(min_length=1), AfterValidator(_pattern)] | None = None
    """The same, searched in the outputs of the functions that were called last; the row answers these."""
    instructions: Annotated[str, Field(min_length=1), AfterValidator(_pattern)] | None = None
    """The same, searched in the instructions that a `response.create` brings, before all other rows."""
    reply: str = ""
    """The answer, said before the calls; `\\1` or `\\g<name>` stand for groups of the match."""
    calls: list[ScriptedCall] = []
    """The functions that the answer calls."""
    delegates: bool = False
    """Whether the model of a Live session delegates, which it does for `calls` too."""

    @model_validator(mode="after")
    def _answers_one_thing(self) -> Self:
        if sum(each is not None for each in (self.match, self.output, self.instructions)) != 1:
            msg = "a row of the script has one of `match`, `output` and `instructions`"
            raise ValueError(msg)
        if not (self.calls or self.delegates or "reply" in self.model_fields_set):
            msg = "a row of the script has a `reply`, `calls`, or both"
            raise ValueError(msg)
        return self
