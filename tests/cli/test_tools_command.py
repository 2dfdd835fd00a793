"""`rt-run tools` lists what the model is offered, and calls a tool by hand."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command_process import Command
from tests.helpers.tool_calls import is_running

PROFILE = """
version = 1
[endpoint]
kind = "local"
[session]
tools = [{ type = "function", name = "light" }, { type = "mcp", server_label = "docs" }]
[[tools]]
name = "look_up"
description = "Look up an order of {{shop}}."
parameters = { file = "order.json" }
run = { kind = "command", argv = ["./look-up"] }
approval = { command = ["./approve"] }
[[tools]]
name = "screen"
description = "Show it."
run = { kind = "client" }
approval = "always"
[run.tools]
hang_up = true
[variables]
shop = { required = true }
"""
SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """A profile with tools beside it, below the working directory."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "agent.toml").write_text(PROFILE)
    (folder / "order.json").write_text(json.dumps(SCHEMA))
    (folder / "look-up").write_text("#!/bin/sh\necho said >&2; printf '\\t'; cat; exit ${CODE:-0}\n")
    (folder / "look-up").chmod(0o755)
    return "shop/agent.toml"


def test_the_list_is_what_the_model_is_offered(rt_run: Any, profile: str) -> None:
    """With schemas, with what the variables say, and with who answers."""
    text = rt_run("tools", profile, "--var", "shop=Contoso")
    listed = rt_run("tools", profile, "--output", "json")

    assert text.code == listed.code == 0
    end_session, *others = text.out.split("\n\n")
    assert end_session.startswith("end_session\n  End the conversation, ")
    assert others == [
        f"look_up  (approved by {Path.cwd()}/shop/approve)\n  Look up an order of Contoso.\n  {json.dumps(SCHEMA)}",
        (
            "screen  (answered by the client, needs an approval)\n  Show it.\n"
            '  {"type": "object", "properties": {}, "additionalProperties": false}'
        ),
        "light  (nothing here runs it)",
        "docs  (a server that the endpoint asks)\n",
    ]
    _, first, _, *sent = json.loads(listed.out)
    assert first == {
        "type": "function",
        "name": "look_up",
        "description": "Look up an order of {{shop}}.",
        "parameters": SCHEMA,
    }
    assert [each["type"] for each in sent] == ["function", "mcp"]
    assert rt_run("tools", "local").out == "no tools\n"
    shown = json.loads(rt_run("show", profile, "--request", "--output", "json").out)
    assert [each.get("name") for each in shown["first_event"]["session"]["tools"]] == [
        "light",
        None,
        "end_session",
        "look_up",
        "screen",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        (["look_up", "--args", '{"order": "7"}'], 0, '\t{"order":"7"}\n', "said"),
        (["look_up"], 1, "The arguments do not fit the schema of the tool:\n", "ended after 0.0 s: invalid"),
        (["look_up", "--args", '{"order": "7"}', "--set", 'tools.0.run.env={ CODE = "3" }'], 1,
         'The tool failed with exit code 3.\n\t{"order":"7"}\n', "failed"),
        (["lookup"], 2, "", "did you mean look_up?"),
        (["screen"], 2, "", "is answered by whoever uses the session"),
        (["--args", "{}"], 2, "", "no tool is named that takes them"),
        (["look_up", "--output", "json"], 2, "", "a call's result has the form that the tool gives it"),
    ],
)  # fmt: skip
def test_a_call_by_hand_is_one_of_the_models(
    rt_run: Any, profile: str, arguments: list[str], code: int, out: str, err: str
) -> None:
    """The result is printed as it is; the exit code says how it went."""
    outcome = rt_run("tools", profile, *arguments)

    assert outcome.code == code
    assert outcome.out.startswith(out)
    assert bool(outcome.out) == bool(out)
    assert err in outcome.err


def test_an_interrupt_takes_the_tool_along(profile: str, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a call leaves nothing behind."""
    noted = tmp_path / "pid"
    (tmp_path / "shop" / "look-up").write_text(
        f"#!/bin/sh\necho $$ >{noted}.new; mv {noted}.new {noted}; exec sleep 300\n"
    )
    command = Command("tools", profile, "look_up", "--args", '{"order": "7"}', folder=tmp_path)
    while not noted.exists():
        assert command.process.poll() is None
        time.sleep(0.005)
    command.send_signal(signal.SIGINT)

    assert command.end().code == 130
    assert not is_running(int(noted.read_text()))
