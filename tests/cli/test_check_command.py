"""`rt-run check` finds every problem and says so in its exit code."""

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.installation import install_command
from tests.helpers.log_capture import log_restored

ABC = ("a.toml", "b.toml", "c.toml")

GOOD = 'version = 1\nendpoint.kind = "local"\n'
BAD = GOOD + "[run]\ngrace = 1\n"


def test_a_valid_profile_is_ok(rt_run: Any, tmp_path: Path) -> None:
    """By name and by path."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/a.toml").write_text(GOOD)

    assert rt_run("check", "a", "profiles/a.toml") == (0, "a: ok\nprofiles/a.toml: ok\n", "")


def test_a_folder_means_its_profiles(rt_run: Any, tmp_path: Path) -> None:
    """One without any is told as what it is."""
    (tmp_path / "mine").mkdir()
    for name in ("b", "a"):
        (tmp_path / f"mine/{name}.toml").write_text(GOOD)
    (tmp_path / "empty").mkdir()

    assert rt_run("check", "mine/") == (0, "mine/a.toml: ok\nmine/b.toml: ok\n", "")
    assert "empty:1:1: is a directory" in rt_run("check", "./empty").out


def test_every_problem_of_every_profile_is_reported(rt_run: Any, tmp_path: Path) -> None:
    """A shadowed profile is checked too."""
    for folder in ("profiles", "xdg/rt-run/profiles"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "b.toml").write_text(BAD)
    (tmp_path / "profiles/a.toml").write_text(GOOD)

    code, out, _ = rt_run("check", "--all")

    assert code == 78
    assert out.splitlines() == [
        "profiles/a.toml: ok",
        "profiles/b.toml:4:1: run.grace: unknown key; did you mean grace_s?",
        "profiles/b.toml: 1 problem",
        "xdg/rt-run/profiles/b.toml:4:1: run.grace: unknown key; did you mean grace_s?",
        "xdg/rt-run/profiles/b.toml: 1 problem",
    ]


def test_json_and_github_reports(rt_run: Any, tmp_path: Path) -> None:
    """For scripts, and for annotations on a pull request."""
    (tmp_path / "b.toml").write_text(BAD)

    (problem,) = json.loads(rt_run("check", "b.toml", "--output", "json").out)
    github = rt_run("check", "b.toml", "--output", "github").out

    assert (problem["file"], problem["line"], problem["column"], problem["key"]) == ("b.toml", 4, 1, "run.grace")
    assert github == (
        "::error file=b.toml,line=4,col=1,title=unknown-key::run.grace: unknown key; did you mean grace_s?\n"
    )


def test_a_missing_profile_fails_and_nothing_to_check_is_a_usage_error(rt_run: Any) -> None:
    """78 and 2."""
    code, out, _ = rt_run("check", "nope")

    assert code == 78
    assert "nope: there is no profile 'nope'; searched" in out
    assert rt_run("check").code == 2
    assert rt_run("check", "--profiles-dir", "/nowhere").code == 2


def test_flags_before_and_after_the_command_hold(rt_run: Any, tmp_path: Path) -> None:
    """`--set` and `--profiles-dir` belong to both."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.toml").write_text(GOOD)

    assert rt_run("--profiles-dir", "mine", "check", "a").code == 0
    assert "--set run.grace" in rt_run("check", "mine/a.toml", "--set", "run.grace=1").out
    assert "--set run.grace" in rt_run("--set", "run.grace=1", "check", "mine/a.toml").out


def test_a_literal_secret_is_never_shown(rt_run: Any, tmp_path: Path) -> None:
    """Whatever the form of the report."""
    (tmp_path / "s.toml").write_text(GOOD + '[auth]\nkind = "api-key"\napi_key = "sk-plantedplanted"\n')

    for form in ("text", "json", "github"):
        code, out, err = rt_run("check", "s.toml", "--output", form)
        assert code == 78
        assert "planted" not in out + err


@pytest.mark.parametrize("reference", ["env", "file", "credential"])
def test_a_key_in_place_of_its_name_is_shown_by_no_command(rt_run: Any, tmp_path: Path, reference: str) -> None:
    """An Azure key looks like a name: it has letters and digits only."""
    key = "fa1b2c3d4e5f60718293a4b5c6d7e8f9"
    azure = 'version = 1\n[endpoint]\nkind = "azure"\nbase_url = "https://x.openai.azure.com"\n[model]\nname = "d"\n'
    (tmp_path / "k.toml").write_text(f'{azure}[auth]\nkind = "api-key"\napi_key = {{ {reference} = "{key}" }}\n')

    for arguments in (("check", "k.toml"), ("show", "k.toml"), ("show", "k.toml", "--request"), ("-p", "k.toml")):
        code, out, err = rt_run(*arguments)
        assert code == 78
        assert "AZURE_OPENAI_API_KEY" in out + err
        assert key[:8] not in out + err


def test_a_mistyped_variable_is_reported_once_and_beside_problems(
    rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the cause of the problems."""
    monkeypatch.setenv("RT_RUN_MODLE__NAME", "x")
    (tmp_path / "profiles").mkdir()
    for name, text in (("a", GOOD), ("b", BAD), ("c", GOOD)):
        (tmp_path / f"profiles/{name}.toml").write_text(text)

    assert rt_run("check", "b").out.count("warning: RT_RUN_MODLE__NAME: ") == 1
    assert rt_run("check", "--all").out.count("warning: RT_RUN_MODLE__NAME: ") == 1


@pytest.mark.parametrize(
    "command",
    [("check", "x"), ("show", "x"), ("list",), ("schema",), ("init", "y", "--kind", "local"), ("serve-local",)],
)
def test_a_profile_before_a_command_is_a_usage_error(rt_run: Any, command: tuple[str, ...]) -> None:
    """No flag is ignored silently."""
    code, out, err = rt_run("-p", "x", *command)

    assert (code, out) == (2, "")
    assert "--profile x stands before a command" in err


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], {"dataclasses", "inspect", "json", "pathlib", "pydantic", "toml_rs"}),
        (["list", "--names"], {"pydantic", "toml_rs", "anyio"}),
    ],
)
def test_a_command_imports_only_what_it_needs(tmp_path: Path, arguments: list[str], absent: set[str]) -> None:
    """Shells ask for the version and for names while somebody waits."""
    program = """
import sys
before = set(sys.modules)
from runner.cli.main import run
try:
    run(sys.argv[1:])
except SystemExit:
    pass
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path!r}{program}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )

    assert not absent & set(done.stderr.split())


def test_what_this_machine_lacks_is_a_warning(rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and libraries; another machine may have them, and a run there would."""
    (tmp_path / "here").write_text("x")
    (tmp_path / "p.toml").write_text(
        'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "https://gw.test/v1"\nca_file = "/nowhere/ca.pem"\n'
        '[auth]\nkind = "entra"\ncertificate_file = "here"\n[input]\nkind = "file"\npath = "talk.wav"\n'
        '[[outputs]]\nkind = "speaker"\n[run]\nloop = "uvloop"\n'
    )
    monkeypatch.setattr("runner.profile.readiness.find_spec", lambda name: None)

    code, out, _ = rt_run("check", "p.toml")

    assert code == 0
    assert out.splitlines() == [
        "warning: p.toml:5:11: endpoint.ca_file: there is no file '/nowhere/ca.pem' on this machine",
        f"warning: p.toml:11:8: input.path: there is no file '{tmp_path}/talk.wav' on this machine",
        f"warning: p.toml:7:8: auth.kind: needs azure-identity, not installed here; {install_command('azure')}",
        f"warning: p.toml:13:8: outputs.0.kind: needs sounddevice, not installed here; {install_command('audio')}",
        f"warning: p.toml:15:8: run.loop: needs uvloop, not installed here; {install_command('fast')}",
        "p.toml: ok",
    ]


def test_a_path_that_is_searched_is_apart_from_the_hint(rt_run: Any, tmp_path: Path) -> None:
    """The list of places ends before it."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/local.toml").write_text(GOOD)

    assert "\n  hint: did you mean local?\n" in rt_run("check", "loca").out


def test_files_for_tls_are_judged_as_a_connection_would(rt_run: Any, tmp_path: Path) -> None:
    """By the same code, where they are here."""
    for name in ("ca.pem", "client.pem"):
        (tmp_path / name).write_text("no certificate")
    text = 'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "https://gw.test/v1"\n'
    (tmp_path / "ca.toml").write_text(text + 'ca_file = "ca.pem"\n')
    (tmp_path / "client.toml").write_text(text + 'client_certificate = { file = "client.pem" }\n')

    for name, told in (("ca.toml", "endpoint.ca_file: "), ("client.toml", "endpoint.client_certificate: ")):
        code, out, _ = rt_run("check", name)
        assert code == 78
        assert f"{name}:5:" in out
        assert told in out
        assert "tls-file" in rt_run("check", name, "--output", "github").out


def test_connections_are_tried_where_that_is_asked_for(rt_run: Any, tmp_path: Path) -> None:
    """Each profile shows its steps and ends as its run would; what cannot be loaded is not tried."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    away = f'endpoint = {{ kind = "custom", base_url = "http://127.0.0.1:{port}/v1" }}\nmodel.name = "m"\n'
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(f'version = 1\nauth = {{ kind = "api-key", api_key.env = "NO_KEY" }}\n{away}')
    (tmp_path / "c.toml").write_text(BAD)

    with log_restored():
        code, out, err = rt_run("check", "--connect", *ABC)
        good, bad, invalid = json.loads(rt_run("check", "--connect", "--output", "json", *ABC).out)
        github = rt_run("check", "--connect", "--output", "github", "b.toml").out

    assert (code, err) == (69, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        *("handshake", "session.created", "session.updated", "drift", "close", "a.toml:"),
        *("dns", "tcp", "credential", "hint:", "b.toml:", "c.toml:4:1:", "c.toml:"),
    ]
    assert "a.toml: ok\n" in out
    assert "b.toml: no session, because of tcp\n" in out
    assert "c.toml: 1 problem\n" in out
    assert [each["state"] for each in good["steps"]] == ["skipped"] * 5 + ["passed"] * 5 + ["skipped"]
    assert (good["exit_code"], good["failed_step"]) == (0, None)
    assert (bad["exit_code"], bad["failed_step"]) == (69, "tcp")
    failed = [each for each in bad["steps"] if each["state"] == "failed"]
    assert [(each["step"], each["exit_code"]) for each in failed] == [("tcp", 69), ("credential", 78)]
    assert (invalid["exit_code"], invalid["steps"], len(invalid["problems"])) == (78, [], 1)
    assert [line.split("::")[1].rpartition("title=")[2] for line in github.splitlines()] == [
        "connect-tcp",
        "connect-credential",
    ]


def test_a_live_session_costs_which_is_said_beforehand(rt_run: Any, tmp_path: Path) -> None:
    """Only where its connection is tried, and not of the local endpoint."""
    live = 'version = 1\nmodel.name = "m"\nsession = { type = "live" }\noutputs = []\ninput.kind = "none"\n'
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    address = f'"http://127.0.0.1:{port}/v1"'
    (tmp_path / "a.toml").write_text(f'{live}endpoint = {{ kind = "custom", base_url = {address} }}\n')
    (tmp_path / "b.toml").write_text(f'{live}endpoint.kind = "local"\n')

    with log_restored():
        told = rt_run("check", "--connect", "a.toml", "b.toml").err
        silent = rt_run("check", "a.toml").err

    assert told == "a.toml: a Live session is billed by the second, and one is opened for a moment\n"
    assert silent == ""


def test_what_is_missing_here_is_a_problem_where_a_connection_is_asked_for(
    rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine may run a profile that is only validated; a connection is tried from this one."""
    monkeypatch.setattr("runner.audio.portaudio.devices", list)
    (tmp_path / "a.toml").write_text(f'{GOOD}[input]\nkind = "microphone"\n')
    run = 'run = { kind = "http", url = "https://example.com", headers = { Authorization = { env = "NO_TOKEN" } } }'
    (tmp_path / "b.toml").write_text(f'{GOOD}[[tools]]\nname = "look_up"\n{run}\n')

    with log_restored():
        code, out, _ = rt_run("check", "--connect", "a.toml")
        keyless = rt_run("check", "--connect", "b.toml")

    assert rt_run("check", "a.toml").code == 0
    assert code == 74
    assert out.startswith("a.toml:3:1: input.device: this machine has no microphone; `rt-run devices` lists")
    assert out.endswith("\na.toml: 1 problem\n")
    assert keyless.code == 78
    assert "tools.0.run.headers.Authorization: the environment variable NO_TOKEN is not set" in keyless.out
    assert rt_run("check", "b.toml").code == 0


def test_a_path_that_cannot_be_written_is_warned_of(rt_run: Any, tmp_path: Path) -> None:
    """A folder where a file is to be, and a file where a folder is; what placeholders will make of it is left open."""
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    tables = [
        *('[[outputs]]\nkind = "transcript"\npath = "{place}"', '[journal]\npath = "{place}"'),
        *('[report]\npath = "{place}"', '[run.resume]\npath = "{place}"'),
        '[report]\nspool = "{spool}"\nwebhook = {{ url = "https://example.com", secret = {{ env = "X" }} }}',
    ]
    for table in tables:
        for place, spool, words in (
            ("there", "file", "is a f"),
            ("file/a.jsonl", "file/spool", "file is a file on this machine; name another place"),
            ("file/{profile}/a.jsonl", "file/a/spool", "file is a file on this machine; name another place"),
            ("there/a.jsonl", "there", ""),
            ("new/{profile}.jsonl", "new/spool", ""),
            ("new.jsonl", "there/spool", ""),
        ):
            (tmp_path / "a.toml").write_text(f"{GOOD}{table.format(place=place, spool=spool)}\n")
            code, out, _ = rt_run("check", "a.toml")
            assert code == 0, out
            assert (out == "a.toml: ok\n") == (not words), (table, place, out)
            assert words in out


def test_a_control_socket_without_a_place_is_warned_of(
    rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine, or the unit, may have one."""
    (tmp_path / "a.toml").write_text(GOOD + "[control]\n")
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    without = rt_run("check", "a.toml")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    assert (without.code, "warning: a.toml" in without.out, "control.path" in without.out) == (0, True, True)
    assert rt_run("check", "a.toml").out == "a.toml: ok\n"
