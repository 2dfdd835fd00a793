"""Tools that are programs: what they get, what becomes of what they write, and that nothing of them stays."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import SecretError
from runner.redaction import MASK
from tests.helpers.log_capture import captured_log
from tests.helpers.tool_calls import NUMBERED, called, command, is_running

pytestmark = pytest.mark.anyio

LIMIT_S = 20
BOTH_LOOPS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio", ("asyncio", {"use_uvloop": True})])


async def _gone(pids: list[int]) -> None:
    with anyio.fail_after(LIMIT_S):
        while any(map(is_running, pids)):  # noqa: ASYNC110  # a process of others has no event
            await anyio.sleep(0.005)


@BOTH_LOOPS
async def test_arguments_go_in_as_json_and_the_output_is_the_result() -> None:
    """No shell reads the arguments, whatever they hold."""
    arguments = {"order": "$(touch /tmp/x); `id` | ../../etc/passwd \x00 …"}

    result = await called(command("cat; echo", parameters=NUMBERED), json.dumps(arguments))

    assert (result.outcome, json.loads(result.output), result.attempts) == ("ok", arguments, 1)


@pytest.mark.parametrize(
    ("script", "outcome", "output"),
    [
        ("true", "ok", ""),
        ("echo found; exit 1", "failed", "The tool failed with exit code 1.\nfound"),
        ("kill -9 $$", "failed", "The tool failed with signal 9."),
        (r"printf 'a\377\000b\n\n'", "ok", "a\ufffd\ufffdb"),
        ("exec 0<&-; echo deaf", "ok", "deaf"),
        ("sleep 300 & echo left", "ok", "left"),
        ("no-such-program", "failed", "The tool failed with exit code 127."),
    ],
    ids=["silent", "failing", "killed", "no-text", "deaf", "forking", "missing"],
)
async def test_whatever_a_program_does_is_an_answer(script: str, outcome: str, output: str) -> None:
    """The end of the program is the end of the call, whoever has inherited its output."""
    result = await called(command(script, parameters=NUMBERED), json.dumps({"order": "1" * 200_000}))

    assert (result.outcome, result.output) == (outcome, output)


async def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """A child in the background that ignores signals is killed when the program has ended."""
    script = "trap '' TERM HUP; sleep 300 & echo $!"

    result = await called(command(script))

    await _gone([int(result.output)])
    assert result.outcome == "ok"


@BOTH_LOOPS
async def test_a_program_that_hangs_is_ended_with_its_group(tmp_path: Path) -> None:
    """It is asked first, and killed where it does not listen; nothing of it is in the process table."""
    noted = tmp_path / "pids"
    script = f"trap 'echo asked > {tmp_path}/asked' TERM; sleep 300 & echo $! $$ > {noted}; wait; exec sleep 300"

    # A busy machine may take longer to start it than it is given.
    for timeout_s in (0.4, 2, 10, 30):
        result = await called(command(script, timeout_s=timeout_s))
        text = f"The tool gave no result within {timeout_s:g} s and was stopped."
        assert (result.outcome, result.output) == ("timed-out", text)
        if (tmp_path / "asked").exists():
            break

    assert (tmp_path / "asked").exists()
    await _gone([int(pid) for pid in noted.read_text().split()])


async def test_an_output_without_end_is_cut_and_the_program_ended() -> None:
    """The model gets the beginning, and is told."""
    result = await called(command("exec yes", max_output_bytes=256))

    assert (result.outcome, result.is_cut, len(result.output)) == ("ok", True, 256)
    assert result.output.endswith("[The result was longer; the rest is cut.]")


async def test_a_program_gets_no_more_of_the_environment_than_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets reach it by reference only, and what it repeats of them is masked."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-handed-on")
    monkeypatch.setenv("ORDERS_TOKEN", "token with 'spaces'")
    monkeypatch.setenv("REGION", "north")
    given = {"env": {"TOKEN": {"env": "ORDERS_TOKEN"}, "PLAIN": "text"}, "pass_env": ["REGION", "NOT_SET"]}

    result = await called(command("unset PWD SHLVL _ OLDPWD; env; echo $TOKEN >&2", run=given))

    variables = dict(line.split("=", 1) for line in result.output.splitlines())
    assert {name: variables.pop(name) for name in ("TOKEN", "PLAIN", "REGION")} == {
        "TOKEN": MASK,
        "PLAIN": "text",
        "REGION": "north",
    }
    assert variables.keys() <= {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM"} | {
        "TMPDIR",
        "TZ",
        "USER",
    }


async def test_a_missing_secret_shows_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that could never work is not offered."""
    monkeypatch.delenv("ORDERS_TOKEN", raising=False)

    with pytest.raises(SecretError, match="ORDERS_TOKEN is not set"):
        await called(command("true", run={"env": {"TOKEN": {"env": "ORDERS_TOKEN"}}}))


async def test_it_runs_in_the_folder_that_is_named(tmp_path: Path) -> None:
    """A program beside it is started by a relative path."""
    (tmp_path / "tool").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "tool").chmod(0o755)
    run = {"kind": "command", "argv": [str(tmp_path / "tool")], "cwd": str(tmp_path)}

    result = await called({"name": "where", "run": run})

    assert result.output == str(tmp_path)


@pytest.mark.parametrize(
    ("run", "error"),
    [
        ({"argv": ["/no/such/program"]}, "No such file or directory"),
        ({"cwd": "/no/such/folder"}, "No such file or directory"),
        ({"argv": ["/etc/passwd"]}, "Permission denied"),
    ],
)
async def test_what_cannot_be_started_is_reported_to_both_sides(run: dict[str, Any], error: str) -> None:
    """The model learns that, the log why."""
    with captured_log() as lines:
        result = await called(command("true", run=run))

    assert (result.outcome, result.output) == ("failed", "The tool could not be started.")
    assert error in next(line["error"] for line in lines if line["event"] == "tool_not_started")


@pytest.mark.parametrize(("shows", "count"), [("full", 1), ("redacted", 1), ("none", 0)])
async def test_standard_error_goes_to_the_log(shows: str, count: int) -> None:
    """And never to the model."""
    with captured_log() as lines:
        result = await called(command("echo oops >&2; echo fine", log=shows))

    assert result.output == "fine"
    assert [line["text"] for line in lines if line["event"] == "tool_stderr"] == ["oops"] * count


async def test_a_call_that_is_given_up_takes_the_program_along(tmp_path: Path) -> None:
    """The session ends in mid-call."""
    noted = tmp_path / "pid"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(called, command(f"echo $$ > {noted}.new; mv {noted}.new {noted}; exec sleep 300"))
        with anyio.fail_after(LIMIT_S):
            while not noted.exists():  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()

    assert not is_running(int(noted.read_text()))
