"""Profiles are reloaded while their sessions run."""

import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import CommandRefused, ProfileError
from runner.operations import control_connection
from runner.profile import LoadedProfile
from runner.profile.origins import Origins
from runner.runs.fleet import Fleet
from runner.settings.profile import Profile
from tests.helpers.command_process import Command, local
from tests.helpers.controlled_runs import controlled_runs, for_ever, obliging
from tests.helpers.endpoint_scripts import confirm, kinds, logged, reached, told
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


def reload_as(fleet: Fleet, *profiles: Profile | Exception) -> list[Profile]:
    """Have the fleet read these profiles at its next reload; returns those that it logs by then."""

    def reread() -> Sequence[LoadedProfile]:
        for each in profiles:
            if isinstance(each, Exception):
                raise each
        return [
            LoadedProfile(each, run.context["profile"], Path("p.toml"), Origins({}))
            for each, run in zip(profiles, fleet.runs, strict=False)
            if isinstance(each, Profile)
        ]

    logging: list[Profile] = []
    fleet.reload_by(reread, logging.append)
    return logging


async def test_a_reload_changes_what_it_can_and_moves_for_the_rest(tmp_path: Path) -> None:
    """Instructions in place, on the same connection and with the conversation; another model on the next one."""

    def profile(instructions: str, model: str, **run: Any) -> Profile:
        session = {"instructions": instructions}
        return for_ever(port, session=session, model={"name": model}, run=run)

    async with serving(obliging) as (port, peers):
        with captured_log() as lines:
            async with controlled_runs(tmp_path, profile("Be kind", "test")) as runs:
                (run,) = runs.fleet.runs
                await runs.request("say", text="one")
                await runs.request("update", changes={"tool_choice": "none"})
                await runs.request("update", changes={"tool_choice": "auto"})
                logging = reload_as(runs.fleet, profile("Be brief", "test", limits={"max_turns": 3}, grace_s=1))
                first = await runs.request("reload")
                in_place = (len(peers), peers[0].received[-1]["type"])
                reload_as(runs.fleet, profile("Be brief", "other", limits={"max_turns": 3}, grace_s=1))
                second = await runs.request("reload")
                await runs.request("say", text="two")
                await runs.request("say", text="three")
                await reached(lambda: run.phase == "ended")

    assert first == {
        "changed": ["run.grace_s", "run.limits.max_turns", "session.instructions"],
        "dropped": ["tool_choice"],
        "moved": 1,
    }
    assert second == {"changed": ["model.name"], "dropped": [], "moved": 1}
    assert logging[0].run.grace_s == 1
    assert in_place[0] == 2
    assert told(peers[2])[:2] == [("user", "one"), ("assistant", "an answer")]
    assert [each["session"].get("tool_choice") for each in (peers[1].received[0], peers[2].received[0])] == [None, None]
    (closed,) = logged(lines, "session_closed")
    assert closed["reason"] == "max_turns"
    assert len(logged(lines, "reloaded")) == 2


async def test_instructions_change_on_the_same_connection(tmp_path: Path) -> None:
    """One `session.update`, and nothing else."""
    async with serving(obliging) as (port, peers):
        profile = for_ever(port, session={"instructions": "Be kind"})
        async with controlled_runs(tmp_path, profile) as runs:
            await runs.request("say", text="one")
            reload_as(runs.fleet, for_ever(port, session={"instructions": "Be brief"}))
            result = await runs.request("reload")
            nothing = await runs.request("reload")

    assert result == {"changed": ["session.instructions"], "dropped": [], "moved": 0}
    assert nothing == {"changed": [], "dropped": [], "moved": 0}
    (peer,) = peers
    assert kinds(peer)[-1] == "session.update"
    assert peer.received[-1]["session"] == {"type": "realtime", "instructions": "Be brief"}


async def test_a_reload_that_cannot_be_changes_nothing(tmp_path: Path) -> None:
    """A wrong profile, keys that take a restart, a refused configuration, a model that is not there: each is said."""
    async with serving(obliging) as (port, peers):
        profile = for_ever(port, session={"instructions": "Be kind"})
        with captured_log() as lines:
            async with controlled_runs(tmp_path, profile) as runs:
                (run,) = runs.fleet.runs
                with pytest.raises(CommandRefused, match="in no files"):
                    await runs.request("reload")
                for reread, words in (
                    (ProfileError("support.toml:3:1: sesion: unknown key"), "unknown key"),
                    (for_ever(port, outputs=[{"kind": "stdout"}]), "these keys take a restart: outputs"),
                    (for_ever(port, session={"instructions": "forbidden"}), r"That is forbidden\."),
                    (for_ever(9, session={"instructions": "Be kind"}), "9"),
                ):
                    reload_as(runs.fleet, reread)
                    with pytest.raises(CommandRefused, match=words):
                        await runs.request("reload")
                assert run.profile == profile
                await runs.request("say", text="Are you there?")

    assert len(peers) == 1
    assert logged(lines, "reload_failed")[0]["error"].endswith("unknown key")
    assert len(logged(lines, "reload_failed")) == 4


async def test_a_reload_outlives_who_has_asked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the endpoint was told, and confirms once the client is dead, is what the session goes by."""
    monkeypatch.setattr(control_connection, "_LOOK_S", 0.02)
    is_asked, may_confirm = anyio.Event(), anyio.Event()

    async def slow(peer: Peer) -> None:
        await peer.greet()
        while (event := await peer.event()) is not None:
            if event.get("session", {}).get("instructions") == "Be brief":
                is_asked.set()
                await may_confirm.wait()
            await confirm(peer, event)

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with serving(slow) as (port, peers):
        kind, brief = (for_ever(port, session={"instructions": each}) for each in ("Be kind", "Be brief"))
        async with controlled_runs(tmp_path, kind) as runs:
            reload_as(runs.fleet, brief)
            before = files()
            client = await runs.connected()
            client.sendall(b'{"id":1,"command":"reload"}\n')
            await is_asked.wait()
            client.close()
            await reached(lambda: files() == before)
            may_confirm.set()
            await reached(lambda: runs.fleet.runs[0].profile.session == brief.session)

    assert kinds(peers[0]) == ["session.update"] * 2


async def test_a_session_that_is_being_opened_is_not_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the service manager take it for ready because of that."""

    async def silent(_: Peer) -> None:
        await anyio.sleep_forever()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        async with serving(silent) as (port, _), controlled_runs(tmp_path, for_ever(port), waits=False) as runs:
            reload_as(runs.fleet, for_ever(port))
            with pytest.raises(CommandRefused, match="session 1 of support is still being opened"):
                await runs.request("reload")
            said: list[bytes] = []
            with pytest.raises(BlockingIOError):
                said.extend(iter(lambda: manager.recv(4096), b""))

    assert not any(each.startswith((b"READY", b"RELOADING")) for each in said)


async def test_each_session_is_reloaded_by_its_own_profile(tmp_path: Path) -> None:
    """Those of one profile together; what another profile says is nothing to them, not even one of the same name."""
    async with serving(obliging) as (port, peers):
        profiles = [for_ever(port, session={"instructions": each}) for each in ("sell", "help")]
        async with controlled_runs(tmp_path, *profiles, names=["support", "support"]) as runs:
            reload_as(runs.fleet, profiles[0], for_ever(port, session={"instructions": "help more"}))
            await runs.request("reload")

    updates = {each["session"]["instructions"] for peer in peers for each in peer.received[1:]}
    assert updates == {"help more"}
    assert len(peers) == 2
    assert sum(len(peer.received) for peer in peers) == 3


def test_a_hang_up_reloads_a_service_and_systemd_learns_of_it(tmp_path: Path) -> None:
    """Where the session lives until a signal and no terminal is there to be closed; flags still win."""
    name = local(tmp_path, more='[run]\nuntil = "signal"\n')
    file = tmp_path / "profiles" / f"{name}.toml"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        said: list[str] = []
        listening = threading.Thread(target=lambda: said.extend(iter(lambda: manager.recv(4096).decode(), "")))
        listening.start()
        command = Command(
            "-p",
            name,
            "--set",
            "run.grace_s=3",
            folder=tmp_path,
            environment={"NOTIFY_SOCKET": str(tmp_path / "notify")},
            before="import os; os.setsid()",
        )
        command.wait_for_log("session_opened")
        file.write_text(file.read_text().replace("[session]", '[session]\ninstructions = "Be brief"') + "grace_s = 5\n")
        command.send_signal(signal.SIGHUP)
        command.wait_for_log("reloaded")
        file.write_text("version = 2\n")
        command.send_signal(signal.SIGHUP)
        command.wait_for_log("reload_failed")
        command.send_signal(signal.SIGTERM)
        ended = command.end()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(tmp_path / "notify"))
        listening.join()

    assert ended.code == 0
    assert ended.logged("reloaded")["changed"] == ["session.instructions"]
    assert "version" in ended.logged("reload_failed")["error"]
    states = [each.partition("\n")[0] for each in said if each.startswith(("READY", "RELOADING", "STOPPING"))]
    assert states == ["READY=1", *["RELOADING=1", "READY=1"] * 2, "STOPPING=1"]
    assert sum("MONOTONIC_USEC=" in each for each in said) == 2
