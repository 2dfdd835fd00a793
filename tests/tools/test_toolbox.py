"""A toolbox offers tools and runs their calls; every call has an answer."""

import json
from typing import Any

import pytest

from runner.profile import make_profile
from runner.tools.profile_tools import profile_sources
from runner.tools.tool_result import ToolResult
from runner.tools.toolbox import open_toolbox

pytestmark = pytest.mark.anyio

ORDER = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}


def tool(script: str, **settings: Any) -> dict[str, Any]:
    """A tool `look_up` that a shell runs."""
    return {"name": "look_up", "run": {"kind": "command", "argv": ["/bin/sh", "-c", script]}, **settings}


async def called(table: dict[str, Any], arguments: str = "", name: str = "look_up") -> ToolResult:
    """The result of one call of a profile's only tool."""
    profile = make_profile(endpoint={"kind": "local"}, tools=[table])
    async with open_toolbox(profile_sources(profile)) as toolbox:
        await toolbox.ready()
        return await toolbox.call(name, arguments, "call_1")


async def test_arguments_go_in_as_json_and_the_output_is_the_result() -> None:
    """Nothing of the arguments is read by a shell."""
    arguments = {"order": "$(touch /tmp/x); `id` ../../etc/passwd"}

    result = await called(tool("cat", parameters=ORDER), json.dumps(arguments))

    assert (result.outcome, json.loads(result.output), result.attempts) == ("ok", arguments, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "The arguments are not valid JSON."),
        ("[1]", "The arguments are not a JSON object."),
        ('{"order": NaN}', "The arguments are not valid JSON."),
        ('{"order": 12}', "- order: 12 is not of type 'string'"),
        ("", "- 'order' is a required property"),
        ('{"order": ' + "[" * 5000, "The arguments are not valid JSON."),
    ],
)
async def test_arguments_that_do_not_fit_run_nothing(arguments: str, said: str) -> None:
    """The model reads what is wrong."""
    result = await called(tool("echo ran", parameters=ORDER), arguments)

    assert (result.outcome, result.attempts) == ("invalid", 0)
    assert said in result.output
