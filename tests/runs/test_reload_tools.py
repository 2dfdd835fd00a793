"""The tools of a profile are reloaded while a session calls them."""

import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import CommandRefused
from runner.session.session import Session
from runner.settings.profile import Profile
from tests.helpers.controlled_runs import controlled_runs, in_thread
from tests.helpers.endpoint_scripts import logged, reached
from tests.helpers.log_capture import captured_log
from tests.helpers.tool_calls import command
from tests.runs.test_reload import reload_as

pytestmark = pytest.mark.anyio
SCRIPT = [{"match": "look", "calls": [{"name": "look_up"}]}, {"match": "leave", "calls": [{"name": "end_session"}]}]


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


def calling(*tools: dict[str, Any], **use: Any) -> Profile:
    """A profile of the local endpoint, in text, with these tools and such `run.tools`."""
    tables: dict[str, Any] = {
        "version": 1,
        "endpoint": {"kind": "local", "delta_interval_ms": 1, "script": SCRIPT},
        "session": {"output_modalities": ["text"]},
        "input": {"kind": "none"},
        "outputs": [],
        "tools": list(tools),
        "run": {"until": "signal", "tools": use},
    }
    return Profile.model_validate(tables)


def offered(session: Session) -> list[str]:
    """The names of the tools that the endpoint knows of."""
    return [each["name"] for each in session.state.effective.get("tools", [])]


def outputs(session: Session) -> list[str]:
    """What calls were answered, in order."""
    return [each.text for each in session.state.conversation.items if each.type == "function_call_output"]


async def test_tools_come_change_and_go_in_place(tmp_path: Path) -> None:
    """A call ends with what it was begun with, the next one has the new tool; one that cannot be had is refused."""
    os.mkfifo(tmp_path / "began")
    os.mkfifo(tmp_path / "gate")
    slow = command(f"echo > {tmp_path}/began; cat {tmp_path}/gate")
    other = {**command("echo"), "name": "other"}
    missing = {"name": "missing", "run": {"kind": "python", "function": "nowhere:nothing"}}

    with captured_log() as lines:
        async with controlled_runs(tmp_path, calling()) as runs:
            (run,) = runs.fleet.runs
            session = run.session
            assert session
            reload_as(runs.fleet, calling(slow))
            first = await runs.request("reload")
            await runs.request("say", text="look")
            await in_thread((tmp_path / "began").read_text)
            reload_as(runs.fleet, calling(command("printf new"), other, max_rounds=1))
            second = await runs.request("reload")
            in_mid_call = (offered(session), outputs(session))
            await in_thread((tmp_path / "gate").write_text, "old")
            await session.wait_answered()
            await session.ask("look")
            assert outputs(session) == ["old", "new"]

            reload_as(runs.fleet, calling(missing, command("printf wrong")))
            with pytest.raises(CommandRefused, match="the tool missing"):
                await runs.request("reload")
            await session.ask("look")
            assert (outputs(session)[2:], offered(session)) == (["new"], ["look_up", "other"])

            reload_as(runs.fleet, calling())
            last = await runs.request("reload")
            assert (last["moved"], offered(session)) == (0, [])

            reload_as(runs.fleet, calling(hang_up=True))
            await runs.request("reload")
            assert offered(session) == ["end_session"]
            await session.say("I leave now")
            await reached(lambda: run.phase == "ended")

    assert first == {"changed": ["tools.look_up"], "dropped": [], "moved": 0}
    assert second["changed"] == ["run.tools.max_rounds", "tools.look_up.run.argv.2", "tools.other"]
    assert in_mid_call == (["look_up", "other"], [])
    assert len(logged(lines, "tool_rounds_spent")) == 3
    assert logged(lines, "session_closed")[0]["reason"] == "hung-up"


async def test_a_call_that_waits_for_approval_keeps_its_tool(tmp_path: Path) -> None:
    """What somebody approves of is what runs, whatever the profile says by then."""
    async with controlled_runs(tmp_path, calling(command("printf seen", approval="always"))) as runs:
        (run,) = runs.fleet.runs
        session = run.session
        assert session
        assert session.tools
        approvals = session.tools.approvals
        await session.say("look")
        await reached(lambda: approvals.waiting)
        reload_as(runs.fleet, calling(command("printf unseen")))
        await runs.request("reload")
        await runs.request("approve", call_id=next(iter(approvals.waiting)))
        await session.wait_answered()
        await session.ask("look")

        assert outputs(session) == ["seen", "unseen"]
