"""What each command imports: a start is fast because of what it leaves out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_DUMP = """
import atexit, json, os, sys
before = set(sys.modules)

def dump():
    with open(os.environ["IMPORTED"], "w") as file:
        json.dump(sorted({name.partition(".")[0] for name in set(sys.modules) - before}), file)

atexit.register(dump)
from runner.__main__ import main
main()
"""

HEAVY = {
    "anyio",
    "asyncio",
    "email",
    "httpx",
    "httpx_ws",
    "pydantic",
    "pydantic_settings",
    "ssl",
    "structlog",
    "tomli",
    "toml_rs",
}
"""What takes more than a few milliseconds, or is not needed to parse a command line."""

NEVER = {
    "azure",
    "cryptography",
    "hypercorn",
    "jsonschema",
    "msal",
    "openai",
    "prompt_toolkit",
    "pytest",
    "uvicorn",
    "websockets",
}
"""What a session with the local endpoint off a terminal never needs."""


def imported(folder: Path, *arguments: str) -> set[str]:
    """The top-level packages that a command imports by its end."""
    found = folder / "imported.json"
    done = subprocess.run(
        [sys.executable, "-c", _DUMP, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "IMPORTED": str(found)},
        input="Hello\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(found.read_text()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a profile `local` and nothing else."""
    (tmp_path / "profiles").mkdir()
    text = 'version = 1\n[endpoint]\nkind = "local"\n[session]\noutput_modalities = ["text"]\n'
    (tmp_path / "profiles" / "local.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_need_the_standard_library_only(folder: Path, argument: str) -> None:
    """No package is imported, nor what of the standard library is heavy."""
    found = imported(folder, argument)

    assert found - set(sys.stdlib_module_names) == {"runner"}
    assert found & HEAVY == set()


@pytest.mark.parametrize("arguments", [["check", "local"], ["list"], ["show", "local"], ["schema"]])
def test_what_is_offline_imports_no_network(folder: Path, arguments: list[str]) -> None:
    """Validation needs pydantic and a TOML parser, and neither an event loop nor an HTTP client."""
    found = imported(folder, *arguments)

    assert found & {"anyio", "httpcore", "httpx", "httpx_ws", "wsproto", "trio"} == set()
    assert found & NEVER == set()


def test_a_local_session_leaves_out_what_it_does_not_use(folder: Path) -> None:
    """Neither another server, nor another client, nor a terminal, nor a cloud's SDK."""
    assert imported(folder, "--profile", "local") & NEVER == set()


def test_the_package_itself_imports_nothing(folder: Path) -> None:
    """`import runner` is cheap; its names are imported when they are used."""
    script = "import sys, runner; print(sorted(name for name in sys.modules if name.startswith('runner')))"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)

    assert done.stdout == "['runner']\n"
