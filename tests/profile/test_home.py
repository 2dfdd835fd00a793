"""`~` in every path of a profile, and what else people write there."""

from pathlib import Path
from typing import Any

import pytest

from runner.errors import ProfileError
from runner.profile import ProfileProblems, load_profile, make_profile
from runner.profile.home import home_expanded
from tests.profile.conftest import OPENAI

HOME = "/home/somebody"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~/a.wav", f"{HOME}/a.wav"),
        ("~", HOME),
        ("a/~/b", "a/~/b"),
        ("./~a", "./~a"),
        ("a~", "a~"),
        ("5$.txt", "5$.txt"),
    ],
)
def test_a_tilde_is_the_home_directory(path: str, expected: str) -> None:
    """At the beginning only."""
    assert home_expanded(path, {"HOME": HOME}) == expected


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("$HOME/a", r"\$HOME is not replaced"),
        ("${XDG_DATA_HOME}/a", r"\$\{XDG_DATA_HOME\} is not replaced"),
        ("/var/$USER/a", r"\$USER is not replaced"),
        ("$home/a", r"\$home is not replaced"),
        ("log-${started}.jsonl", r"\$\{started\} is not replaced"),
        ("~root/a", "~root is not replaced by another user's home directory"),
    ],
)
def test_nothing_else_is_replaced(path: str, problem: str) -> None:
    """A folder with such a name would appear where nobody looks for it."""
    with pytest.raises(ValueError, match=problem):
        home_expanded(path, {"HOME": HOME})


def test_without_a_home_directory_a_tilde_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that has none, as in a container with a number for a user."""
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ValueError, match="HOME is not set"):
        home_expanded("~/a", {})


TABLES = [
    ('[[outputs]]\nkind = "transcript"\npath = "%s/x"\n', "outputs.0.path"),
    ('[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "audio"\npath = "%s/x"\n', "outputs.1.path"),
    ('[journal]\npath = "%s/x"\n', "journal.path"),
    ('[input]\nkind = "file"\npath = "%s/x"\n', "input.path"),
    ('[auth]\nkind = "api-key"\napi_key = { file = "%s/x" }\n', "auth.api_key.file"),
    ('[auth]\nkind = "api-key"\napi_key = { command = ["%s/x"] }\n', "auth.api_key.command.0"),
    ('[endpoint.client_certificate]\nfile = "%s/x"\n', "endpoint.client_certificate.file"),
    ('[endpoint]\nca_file = "%s/x"\n', "endpoint.ca_file"),
]


@pytest.mark.parametrize(("table", "key"), TABLES)
def test_every_path_is_treated_alike(load: Any, table: str, key: str) -> None:
    """Of files that are read and written, and of programs."""
    text = OPENAI.replace("[endpoint]\n", table % "~" if "[endpoint]" in table else "[endpoint]\n")
    text = text if "[endpoint]" in table else text + table % "~"
    value: Any = load(text, HOME=HOME).profile
    for part in key.split("."):
        value = value[int(part)] if part.isdecimal() else getattr(value, part)
    assert str(value) == f"{HOME}/x"

    with pytest.raises(ProfileProblems) as raised:
        load(text.replace('"~/', '"$HOME/'), HOME=HOME)
    assert [(each.key, each.code) for each in raised.value.problems if each.code == "path"] == [(key, "path")]


@pytest.mark.parametrize("source", ["flag", "variable"])
def test_flags_and_variables_have_paths_too(load: Any, source: str) -> None:
    """The shell leaves the tilde alone behind an equals sign."""
    if source == "flag":
        loaded = load(OPENAI, 'outputs=[{ kind = "transcript", path = "~/t" }]', "journal.path=~/j", HOME=HOME)
    else:
        text = OPENAI + '[[outputs]]\nkind = "transcript"\npath = "x"\n'
        loaded = load(text, HOME=HOME, RT_RUN_OUTPUTS__0__PATH="~/t", RT_RUN_JOURNAL__PATH="~/j")

    assert (loaded.profile.outputs[0].path, loaded.profile.journal.path) == (f"{HOME}/t", f"{HOME}/j")


def test_profiles_are_found_at_home(write: Any, tmp_path: Path) -> None:
    """By path, in the folders that are named, as a parent; and instructions are read there."""
    write("home/base.toml", OPENAI)
    write("home/words.md", "Be brief.")
    write("home/child.toml", 'extends = "~/base.toml"\n[session]\ninstructions = { file = "~/words.md" }\n')
    environ = {"HOME": str(tmp_path / "home")}

    session: Any = load_profile("~/child.toml", environ=environ).profile.session
    assert session.instructions == "Be brief."
    assert load_profile("child", environ={**environ, "RT_RUN_PROFILES_DIR": "~"}).name == "child"
    assert load_profile("child", environ=environ, profiles_dir="~").name == "child"
    with pytest.raises(ProfileError, match="~nobody is not replaced"):
        load_profile("~nobody/x.toml", environ=environ)


def test_a_program_has_the_same_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile without a file reads the process's environment."""
    monkeypatch.setenv("HOME", HOME)

    profile = make_profile(endpoint={"kind": "local"}, journal={"path": "~/j"})

    assert profile.journal is not None
    assert profile.journal.path == f"{HOME}/j"


def test_an_authority_beside_the_profile_has_to_be_there(load: Any, write: Any) -> None:
    """It comes with the profile; one of the machine may be on another machine."""
    text = OPENAI.replace("[endpoint]", '[endpoint]\nca_file = "ca.pem"')
    with pytest.raises(ProfileProblems, match=r"p\.toml:3:11: endpoint\.ca_file: there is no such file"):
        load(text)
    write("ca.pem", "")

    load(text)
    load(text.replace("ca.pem", "/nowhere/ca.pem"))
