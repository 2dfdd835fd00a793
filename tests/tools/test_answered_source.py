"""Tools that are answered with texts that are known before."""

import pytest

from runner.profile import make_profile
from runner.tools.answered_source import KnownAnswer, answered_sources
from runner.tools.tool_source import CallAnswer
from runner.tools.toolbox import open_toolbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


async def test_some_tools_are_answered_and_others_run() -> None:
    """The first answer that is for the arguments is given; what is answered need not exist, nor be run by rt-run."""
    order = {"type": "object", "properties": {"order": {"type": "string"}, "lines": {"type": "array"}}}
    profile = make_profile(
        endpoint={"kind": "local"},
        tools=[
            {"name": "absent", "parameters": order, "run": {"kind": "command", "argv": ["/no/such/program"]}},
            {"name": "elsewhere", "run": {"kind": "client"}},
            {"name": "real", "run": {"kind": "command", "argv": ["/bin/echo", "real"]}},
        ],
    )
    seventh = KnownAnswer({"order": "7", "lines": [{}]}, CallAnswer("seven"))
    answers = {"absent": [seventh, KnownAnswer({"order": "8"}, CallAnswer("eight", is_failed=True))]}
    sources = answered_sources(profile, answers | {"elsewhere": [KnownAnswer({}, CallAnswer("there"))]})

    async with open_toolbox(sources) as toolbox:
        await toolbox.ready()
        calls = [("absent", '{"order": "7", "lines": [{}]}'), ("absent", '{"order": "8"}'), ("absent", "{}")]
        told = [await toolbox.call(name, text, "c") for name, text in [*calls, ("elsewhere", "{}"), ("real", "{}")]]
        offered = [(each.name, each.is_client, each.parameters == order) for each in toolbox.offered()]

    assert offered == [("absent", False, True), ("elsewhere", False, False), ("real", False, False)]
    assert [each.outcome for each in told] == ["ok", "failed", "failed", "ok", "ok"]
    assert [each.output.strip() for each in told] == [
        "seven",
        "eight",
        "There is no answer to these arguments.",
        "there",
        "real",
    ]
