"""`rt-run ctl` as its user types it, against sessions that run."""

import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from runner.cli.main import run as rt_run
from runner.errors import ProfileError
from tests.helpers.command_process import Command, local
from tests.helpers.controlled_runs import Controlled, controlled_runs, for_ever, in_thread, obliging
from tests.helpers.peer import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


async def ctl(runs: Controlled, *words: str) -> int:
    """The exit code of `rt-run ctl support …` by the socket's path."""
    return await in_thread(rt_run, ["ctl", "--socket", str(runs.path), "support", *words])


async def test_what_runs_is_listed_found_by_its_name_and_talked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table or as JSON; a name that does not run gets those that do, one that runs twice both sockets."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "rt-run" / "other").mkdir(parents=True)
    async with serving(obliging) as (port, _):
        async with controlled_runs(tmp_path / "rt-run", for_ever(port)):
            listed = await in_thread(rt_run, ["ctl"])
            table = capsys.readouterr().out.splitlines()
            status = await in_thread(rt_run, ["ctl", "support", "--json"])
            (shown,) = json.loads(capsys.readouterr().out)
            said = await in_thread(rt_run, ["ctl", "support", "say", "Hello"])
            absent = await in_thread(rt_run, ["ctl", "sales", "say", "Hello"])
            hint = capsys.readouterr().err
            async with controlled_runs(tmp_path / "rt-run", for_ever(port), file="b.sock"):
                twice = await in_thread(rt_run, ["ctl", "support"])
        nothing = await in_thread(rt_run, ["ctl"])
    told = capsys.readouterr().err

    assert (listed, status, said, absent, twice, nothing) == (0, 0, 0, 69, 2, 0)
    assert table[0].split() == ["PROFILE", "SESSION", "STATE", "AGE", "TURNS", "COST", "PROVIDER"]
    assert [(*line.split()[:3], line.split()[-1]) for line in table[1:]] == [("support", "1", "open", "support")]
    assert (shown["profile"], shown["state"], shown["turns"]) == ("support", "open", 0)
    assert "running here: support" in hint
    assert "2 processes run support" in told
    assert "no session that can be controlled runs here" in told


async def test_commands_end_with_the_code_of_what_became_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused 1, no such session 69, wrong usage 2, each with its reason; a lost socket is 69."""
    async with serving(obliging) as (port, peers), controlled_runs(tmp_path, for_ever(port)) as runs:
        codes = {
            words: await ctl(runs, *words)
            for words in (
                ("item", "add", "Mind the gap", "--role", "system", "--id", "note"),
                ("respond", "--instructions", "Go on", 'output_modalities=["text"]'),
                ("update", "instructions=forbidden"),
                ("update", "instructions"),
                ("update", "audio=1", "audio.input=2"),
                ("item", "add"),
                ("event", "{"),
                ("say", "x", "--session", "7"),
                ("say", "x", "--frob"),
                ("stauts",),
                ("cancel",),
            )
        }
        monkeypatch.setattr(
            sys, "stdin", StringIO('{"type":"input_audio_buffer.clear"}\n\n{"type":"response.create"}\n')
        )
        streamed = await ctl(runs, "event", "-")
        monkeypatch.setattr(sys, "stdin", StringIO("What is new?\n"))
        (peer,) = peers
        attached = await ctl(runs, "attach")
        told = capsys.readouterr()
    gone = await ctl(runs, "status")

    assert list(codes.values()) == [0, 0, 1, 2, 2, 2, 2, 69, 2, 2, 0]
    assert (streamed, attached, gone) == (0, 0, 69)
    assert told.out == "note\nan answer\n"
    reasons = (
        "That is forbidden.",
        "must be KEY=VALUE",
        "did you mean status?",
        "no flag --frob",
        "no answer to cancel",
    )
    for words in reasons:
        assert words in told.err
    kinds = [each["type"] for each in peer.received]
    assert kinds[1:] == [
        "conversation.item.create",
        "response.create",
        "session.update",
        "input_audio_buffer.clear",
        "response.create",
        "conversation.item.create",
        "response.create",
    ]
    assert peer.received[2]["response"] == {"instructions": "Go on", "output_modalities": ["text"]}


def test_a_real_process_has_its_socket_while_it_runs(tmp_path: Path) -> None:
    """From `[control]` alone; two profiles that disagree are refused, and so is a socket that somebody serves."""
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = Command("-p", local(tmp_path, more="[control]"), folder=tmp_path, environment=environment)
    command.wait_for_log("session_opened")
    (path,) = (tmp_path / "rt-run").iterdir()
    code = rt_run(["ctl", "--socket", str(path), "test", "say", "Hello"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        (tmp_path / "profiles" / "two.toml").write_text(
            (tmp_path / "profiles" / "test.toml").read_text() + f'path = "{path}"\n'
        )
        differing, taken = rt_run(["-p", "test", "-p", "two"]), rt_run(["-p", "two"])
    ended = command.end("")

    assert (code, ended.code, ended.stdout) == (0, 0, "You said: Hello\n")
    assert path.name == f"test-{ended.logged('session_opened')['run_id']}.sock"
    assert list((tmp_path / "rt-run").iterdir()) == []
    assert (differing, taken) == (ProfileError.exit_code, 74)
