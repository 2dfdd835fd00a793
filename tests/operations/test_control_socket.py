"""The control socket as a file."""

import os
import socket
import stat
from pathlib import Path

import pytest

from runner.errors import OutputError, ProfileError
from runner.operations.control_client import found_sockets
from runner.operations.control_socket import listening, socket_folders, socket_path, socket_paths
from runner.settings.control import LONGEST_SOCKET_BYTES, ControlSettings

NAMES = {"profile": "support", "run_id": "0123456789ab", "session": "1", "started": "now"}
ANYWHERE = ControlSettings()


def abandoned(path: Path) -> None:
    """Leave a socket there that nobody serves."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def test_it_is_where_the_environment_says(tmp_path: Path) -> None:
    """A service's own folder before the user's; a path of the profile's before both."""
    service, user = {"RUNTIME_DIRECTORY": "/run/a:/run/b"}, {"XDG_RUNTIME_DIR": "/run/user/1"}

    assert str(socket_path(ANYWHERE, NAMES, service | user)) == "/run/a/support-0123456789ab.sock"
    assert str(socket_path(ANYWHERE, NAMES, user)) == "/run/user/1/rt-run/support-0123456789ab.sock"
    own = ControlSettings(path=f"{tmp_path}/{{profile}}.sock")
    assert socket_path(own, NAMES, user) == tmp_path / "support.sock"


def test_a_place_that_cannot_be_is_a_problem() -> None:
    """Where the environment names none, and where the path has more bytes than the address of a socket."""
    with pytest.raises(ProfileError, match="neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR") as nowhere:
        socket_path(ANYWHERE, NAMES, {})
    longest = "/" + "ä" * 53
    assert len(os.fsencode(longest)) == LONGEST_SOCKET_BYTES
    socket_path(ControlSettings(path=longest), NAMES, {})
    with pytest.raises(ProfileError, match="has 108 bytes"):
        socket_path(ControlSettings(path=longest + "x"), NAMES, {})
    assert "control.path" in nowhere.value.hint


def test_only_its_owner_may_open_it_and_it_goes_with_the_process(tmp_path: Path) -> None:
    """Whatever the umask says; and at the end nothing is left, unless another process has put its own there."""
    before = os.umask(0)
    try:
        with listening(tmp_path / "new" / "a.sock"):
            mode = (tmp_path / "new" / "a.sock").stat().st_mode
            folder = (tmp_path / "new").stat().st_mode
        with listening(tmp_path / "b.sock"):
            (tmp_path / "b.sock").unlink()
            (tmp_path / "b.sock").write_text("another's")
    finally:
        os.umask(before)

    assert (stat.S_IMODE(mode), stat.S_IMODE(folder)) == (0o600, 0o700)
    assert [path.name for path in tmp_path.rglob("*.sock")] == ["b.sock"]


def test_a_stale_one_is_replaced_and_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is served, nor a file that is no socket; in rt-run's own folder all stale ones go."""
    path, other = tmp_path / "a.sock", tmp_path / "other.sock"
    abandoned(path)
    abandoned(other)
    with listening(path), pytest.raises(OutputError, match="another process serves"), listening(path):
        pass
    assert other.exists()
    (tmp_path / "text").write_text("mine")
    with pytest.raises(OutputError, match="another file of this name"), listening(tmp_path / "text"):
        pass
    assert (tmp_path / "text").read_text() == "mine"

    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with listening(path), listening(tmp_path / "b.sock"):
        assert sorted(each.name for each in tmp_path.glob("*.sock")) == ["a.sock", "b.sock"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With the place and the key that names another."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made: ") as refused, listening(tmp_path / "file" / "a.sock"):
        pass
    assert "control.path" in refused.value.hint


def test_sockets_are_looked_for_where_processes_have_them(tmp_path: Path) -> None:
    """Those of the user and of the unit; who does not answer is listed, who is gone is not."""
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "user")}
    abandoned(tmp_path / "stale.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        (found,) = found_sockets(environ, within_s=0.05)

    assert (found.path.name, found.client) == ("silent.sock", None)
    assert list(socket_folders(environ))[:2] == [tmp_path, tmp_path / "user" / "rt-run"]


def test_a_socket_that_the_environment_names_is_found(tmp_path: Path) -> None:
    """Wherever it is, for whatever profile it was named: a container's, by who runs a command in it."""
    folder = tmp_path / "a[b]"
    folder.mkdir()
    for name in ("sales", "support"):
        (folder / f"{name}.sock").touch()
    (folder / "other.log").touch()

    def named(path: str) -> list[str]:
        environ = {"RT_RUN_CONTROL__PATH": str(folder / path), "RUNTIME_DIRECTORY": str(folder)}
        return [each.name for each in socket_paths(environ) if each.parent == folder]

    assert named("support.sock") == ["support.sock", "sales.sock"]
    assert named("{profile}.sock") == named("gone.sock") == ["sales.sock", "support.sock"]
    assert not [each for each in socket_paths({}) if each.parent == Path()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_by_the_kernel(tmp_path: Path) -> None:
    """Also where the folder is open to all."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with listening(tmp_path / "a.sock"):
        child = os.fork()
        if not child:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                os._exit(connection.connect_ex(str(tmp_path / "a.sock")))
        _, status = os.waitpid(child, 0)

    assert os.strerror(os.waitstatus_to_exitcode(status)) == "Permission denied"
