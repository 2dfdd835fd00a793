"""What each command imports: a start is fast because of what it leaves out."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.main import run
from runner.errors import ProfileError

_DUMP = """
import atexit, json, os, sys
before = set(sys.modules)

def dump():
    with open(os.environ["IMPORTED"], "w") as file:
        json.dump(sorted(set(sys.modules) - before), file)

atexit.register(dump)
from runner.__main__ import main
main()
"""

VALIDATION = {"annotated_types", "pydantic", "pydantic_core", "tomli", "typing_extensions", "typing_inspection"}
"""What reads a profile and judges it."""

CONNECTION = {
    "anyio",
    "certifi",
    "h11",
    "httpcore",
    "httpx",
    "httpx_ws",
    "idna",
    "pybase64",
    "wsproto",
}
"""What opens a WebSocket and speaks over it."""

ALLOWED = {
    "--version": {"runner"},
    "--help": {"runner"},
    "check local": {"runner"} | VALIDATION,
    "--profile local": {"runner", "structlog"} | VALIDATION | CONNECTION,
}
"""All that these commands import from outside the standard library."""

TOLERATED = {
    "_cython_3_3_0": "uvloop needs it",
    "cython_runtime": "uvloop needs it",
    "sniffio": "anyio imports it",
    "trio": "httpcore imports it, and here only its name",
    "uvloop": "rt-run itself, where it is installed",
}
"""What other packages import of their own accord wherever it is installed, as it is for development, and why."""

HEAVY = {"asyncio", "email", "http", "inspect", "json", "logging", "socket", "ssl", "subprocess", "urllib"}
"""What takes a millisecond or more in the standard library, and is not needed to parse a command line."""

NETWORK = {"asyncio", "http", "ssl"}
"""What the standard library has for connections."""


UNUSED = (
    "runner.api.audio_config",
    "runner.api.live_decisions",
    "runner.api.live_delegation",
    "runner.api.live_session",
    "runner.api.session_options",
    "runner.api.tools",
    "runner.audio.devices",
    "runner.batches",
    "runner.child_process",
    "runner.cli.batch_command",
    "runner.cli.check_command",
    "runner.connect.refused_handshake",
    "runner.connect.secrets",
    "runner.connect.tls",
    "runner.inputs.chat",
    "runner.journal",
    "runner.local.session.chat_messages",
    "runner.local.session.live_config",
    "runner.local.session.spoken_text",
    "runner.local.session.written_answer",
    "runner.operations",
    "runner.outputs.transcript",
    "runner.profile.mcp_file",
    "runner.profile.positions",
    "runner.profile.validation_errors",
    "runner.protocol.live_server_events",
    "runner.protocol.translation_events",
    "runner.resume",
    "runner.runs.budget",
    "runner.runs.first_answer",
    "runner.runs.live_line",
    "runner.runs.log_words",
    "runner.scenarios",
    "runner.session.call_ledger",
    "runner.session.tool_loop",
    "runner.settings.delegate",
    "runner.settings.faults",
    "runner.settings.greeting",
    "runner.settings.http",
    "runner.settings.idle",
    "runner.settings.journal",
    "runner.settings.live_settings",
    "runner.settings.mcp_server",
    "runner.settings.prices",
    "runner.settings.script",
    "runner.settings.tool",
    "runner.terminal.markdown_text",
    "runner.terminal.screen",
    "runner.tools.profile_tools",
    "runner.tools.toolbox",
)
"""What a session of plain text, from standard input and with an endpoint of its own, never needs."""
MOST_MODULES = 290
"""So many modules of rt-run such a session imports at most: each costs a start a third of a millisecond or more."""


def imported(folder: Path, *arguments: str) -> frozenset[str]:
    """The modules that a command imports by its end."""
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
    return frozenset(json.loads(found.read_text()))


def packages(modules: frozenset[str]) -> set[str]:
    """The packages of modules that come neither with Python nor along with a package of the same distribution."""
    names = {name.partition(".")[0] for name in modules}
    # tomli is compiled by mypyc, whose shared module has a hash for a name; sysconfig's data is named for the platform.
    apart = {name for name in names if name.endswith("__mypyc") or name.startswith("_sysconfigdata_")}
    return names - apart - set(sys.stdlib_module_names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a profile `local` and nothing else."""
    (tmp_path / "profiles").mkdir()
    text = 'version = 1\n[endpoint]\nkind = "local"\n[session]\noutput_modalities = ["text"]\n'
    (tmp_path / "profiles" / "local.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("command", ALLOWED)
def test_a_command_imports_what_is_listed_here(folder: Path, command: str) -> None:
    """Nothing more, so that a new import shows; and nothing less, so that the list stays true."""
    assert packages(imported(folder, *command.split())) - TOLERATED.keys() == ALLOWED[command]


def test_a_session_of_plain_text_imports_what_it_uses(folder: Path) -> None:
    """A profile pays for what it asks for, and many small modules are a slow start."""
    modules = imported(folder, "--profile", "local")

    own = [name for name in modules if name.startswith("runner.")]
    assert [name for name in own if f"{name}.".startswith(tuple(f"{each}." for each in UNUSED))] == []
    assert len(own) <= MOST_MODULES


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_need_little_of_the_standard_library(folder: Path, argument: str) -> None:
    """Whoever asks for the version waits for no event loop."""
    assert imported(folder, argument) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["check", "local"], ["list"], ["show", "local"], ["schema"]])
def test_what_is_offline_imports_no_network(folder: Path, arguments: list[str]) -> None:
    """Validation needs pydantic and a TOML parser, and neither an event loop nor an HTTP client."""
    assert imported(folder, *arguments) & (CONNECTION | NETWORK) == set()


def test_a_run_leaves_out_what_other_libraries_import_and_nobody_uses(folder: Path) -> None:
    """Whoever asks for it in the process has it all the same: HTTP/2, SOCKS, trio and what is written with Rich."""
    script = """
import runner.__main__, runner.cli.main, sys
def run(arguments):
    import httpcore, httpx, structlog
    print([name for name in ("httpx._main", "rich", "h2", "outcome", "socksio") if name in sys.modules], flush=True)
    import rich.text, trio
    async def read():
        lock = httpcore._synchronization.AsyncLock()
        async with lock:
            return await httpcore._backends.auto.AutoBackend().sleep(0)
    trio.run(read)
    httpx.Client(http2=True).close()
    socks = httpcore.ConnectionPool(proxy=httpcore.Proxy("socks5://localhost"))
    print(type(socks.create_connection(httpcore.URL("https://example.com").origin)).__name__)
    print(rich.text.Text("rich"), httpcore._backends.trio.TrioBackend.__module__)
    return 0
runner.cli.main.run = run
runner.__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[]\nSocks5Connection\nrich httpcore._backends.trio\n", "")


def test_pydantic_looks_for_plugins_where_models_of_the_user_are_made(folder: Path) -> None:
    """Our own models have no use for any, and what keeps pydantic from looking is not for programs that we start."""
    script = """
import os
from runner.unused_imports import leave_out, take_plugins
leave_out()
from runner.settings.idle import Idle
Idle(after_s=1)
from pydantic import create_model
from pydantic.plugin import _loader
print(_loader._plugins, end=" ")
import anyio
from runner.child_process import run_program
program = anyio.run(lambda: run_program(["printenv", "PYDANTIC_DISABLE_PLUGINS"], longest_bytes=100))
print(program.output.decode().strip(), end=" ")
take_plugins()
create_model("Own", x=(int, 1))
print(_loader._plugins, os.environ.get("PYDANTIC_DISABLE_PLUGINS"))
"""
    for given, shown in (({}, "None  {} None\n"), ({"PYDANTIC_DISABLE_PLUGINS": "1"}, "None 1 None 1\n")):
        environ = {"PATH": os.environ["PATH"], **given}
        done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)

        assert done.stdout == shown


def test_the_package_itself_imports_nothing(folder: Path) -> None:
    """`import runner` is cheap; its names are imported when they are used."""
    script = "import sys, runner; print(sorted(name for name in sys.modules if name.startswith('runner')))"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)

    assert done.stdout == "['runner']\n"


def test_a_profile_that_is_refused_leaves_the_collector_on(folder: Path) -> None:
    """It is off while a run is imported and its profile is read, and only then."""
    assert run(["--profile", "nowhere", "--profiles-dir", str(folder)]) == ProfileError.exit_code
    assert gc.isenabled()
