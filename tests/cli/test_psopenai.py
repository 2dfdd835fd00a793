"""Every row of the tables of docs/psopenai.md, as it stands there."""

import html
import re
import shlex
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli

from runner import make_profile, open_session
from runner.audio.playout import Heard
from runner.cli.main import run as rt_run
from runner.inputs.input_switch import InputSwitch
from runner.outputs.outputs import Outputs
from runner.outputs.session_output import AudiblePlayer, Piece
from runner.profile.model_keys import slot_at
from runner.protocol.session_update import session_update
from tests.helpers.controlled_runs import Controlled, controlled_runs, for_ever, in_thread, obliging
from tests.helpers.peer import Peer, serving

pytestmark = pytest.mark.anyio
Row = list[list[str]]


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


def rows(repository: Path, heading: str) -> list[Row]:
    """The rows of a section's tables, each cell as the pieces of code in it."""
    text = (repository / "docs" / "psopenai.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    named = [[re.findall(r"`([^`]+)`", html.unescape(cell)) for cell in line] for line in lines]
    return [row for row, line in zip(named, lines, strict=True) if line[0].strip() not in {"cmdlet", "parameter"}]


async def ctl(runs: Controlled, words: str) -> int:
    """The exit code of a command, as it is typed into a shell."""
    return await in_thread(rt_run, ["ctl", "--socket", str(runs.path), "support", *shlex.split(words)])


async def by_python(code: str, session: Any) -> None:
    """Do what a call says."""
    done = eval(code, {"session": session, "make_profile": make_profile, "open_session": open_session})  # noqa: S307  # our own
    if isinstance(done, Awaitable):
        await done


def sent(peer: Peer, since: int) -> list[Any]:
    """What has come on a connection since then, without the ids that differ from time to time."""
    events = [{name: value for name, value in each.items() if name != "event_id"} for each in peer.received[since:]]
    for each in events:
        if str(each.get("item", {}).get("id", "")).startswith("item_") and each["item"]["id"] != "item_2":
            del each["item"]["id"]
    return events


def test_profiles_say_where_a_session_connects(repository: Path) -> None:
    """A profile of the file's words, and the same of Python's, name one endpoint, one credential and one model."""
    for _, keys, _, (call,) in rows(repository, "A session"):
        tables = tomli.loads("\n".join(keys))
        model = {} if "transcription" in str(tables) else {"model": {"name": "test"}}
        written = make_profile(**{"endpoint": {"kind": "local"}, **model, **tables})
        if call.startswith("make_profile"):
            called = eval(call, {"make_profile": make_profile})  # noqa: S307  # our own
            assert (called.endpoint, called.auth, called.session) == (written.endpoint, written.auth, written.session)


async def test_what_the_command_sends_is_what_python_sends(repository: Path, tmp_path: Path) -> None:
    """Each row once by `rt-run ctl` and once from Python: the same client events, of the types that stand there."""
    async with serving(obliging) as (port, peers), controlled_runs(tmp_path, for_ever(port)) as runs:
        session, (peer,) = runs.fleet.runs[0].session, peers
        assert session
        for _, (command,), (call,), types in rows(repository, "What is sent"):
            both = []
            for act in (ctl(runs, command), by_python(call, session)):
                if command == "cancel":
                    await session.respond(instructions="held")
                    await session.changes.next()
                since = len(peer.received)
                assert await act in {0, None}, command
                await session.wait_idle()
                # What is sent by Python is only known to have come once something later has.
                await runs.request("clear")
                both.append(sent(peer, since)[:-1])
            assert [each["type"] for each in both[0]] == types, command
            assert both[0] == both[1]


async def test_the_configuration_of_a_profile_is_what_an_update_changes(repository: Path, tmp_path: Path) -> None:
    """Each row by its profile, by `rt-run ctl` and from Python: one `session` object."""
    async with (
        serving(obliging) as (port, peers),
        controlled_runs(
            tmp_path, for_ever(port), for_ever(port, session={"type": "transcription"}), names=["support", "scribe"]
        ) as runs,
    ):
        for parameters, keys, (command,), (call,) in rows(repository, "Configuration"):
            is_scribe = parameters[0] in {"-Include", "-InputAudioTranscriptionDelay"}
            kind = "transcription" if is_scribe else "realtime"
            run = runs.fleet.runs[is_scribe]
            assert run.session
            peer = next(each for each in peers if each.received[0]["session"]["type"] == kind)
            tables = tomli.loads("\n".join(keys))
            tables["session"] |= {"type": kind}
            asked = session_update(make_profile(endpoint={"kind": "local"}, **tables))["session"]
            since = len(peer.received)
            words = ["ctl", "--socket", str(runs.path), run.context["profile"], *shlex.split(command)]
            assert await in_thread(rt_run, words) == 0, command
            await by_python(call, run.session)
            await runs.request("clear", session=run.number)
            updates = [each["session"] for each in sent(peer, since)[:-1]]
            assert updates == [asked, asked], command


async def test_sound_is_switched_and_a_session_is_ended(repository: Path, tmp_path: Path) -> None:
    """The keys exist, the input and the output obey, and the session is closed with code 1000."""

    class Loudspeaker(AudiblePlayer):
        """An output that somebody hears."""

        is_silent = False
        name = "the loudspeaker"
        is_finished = True

        async def finished(self) -> None:
            """Have nothing to wait for."""

        def play(self, piece: Piece) -> None:
            """Hear nothing of it."""

        def cut(self, heard: Sequence[Heard]) -> None:
            """Have nothing to cut."""

        async def run(self) -> None:
            """Have nothing to do."""

        def close(self) -> None:
            """Have nothing to end."""

    states = []
    async with serving(obliging) as (port, peers), controlled_runs(tmp_path, for_ever(port)) as runs:
        run = runs.fleet.runs[0]
        run.input.switch = InputSwitch(can_mute=True)
        run.outputs = Outputs([Loudspeaker()])
        for _, keys, (command,), calls in rows(repository, "Sound, and the end"):
            for table, value in tomli.loads("\n".join(keys)).items():
                assert slot_at((table, *value) if isinstance(value, dict) else (table,)), keys
            assert await ctl(runs, command) == 0
            states.append((run.input.switch.state, run.outputs.is_silent))
            for call in calls:
                await by_python(call, run.session)

    started, stopped = ("started", False), ("stopped", True)
    assert states == [started, ("stopped", False), ("stopped", False), stopped, stopped]
    assert peers[0].close_code == 1000
