"""What a profile needs and this machine has not: `rt-run check` warns of it, because another machine may run it."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from runner.errors import RunnerError
from runner.installation import install_command
from runner.profile.keys import Key, at
from runner.profile.load import LoadedProfile
from runner.profile.problems import Problem, problem_at
from runner.profile.references import READ_PATHS
from runner.profile.tool_keys import tool_files, tool_programs
from runner.profile.written_files import unwritable_here
from runner.settings.control import runtime_folder
from runner.settings.input import MicrophoneInput
from runner.settings.output import SpeakerOutput
from runner.settings.profile import Profile
from runner.settings.tool import PythonRun
from runner.settings.trace_settings import unsupported_variable

_FOLDERS = frozenset({"cwd", "path"})
"""The keys of the folders that tools need."""


def missing_here(loaded: LoadedProfile) -> list[Problem]:
    """A warning for each file and program that is not there, and for each library that is not installed.

    Also for what is there, and in the way of what is to be written.
    """
    tree = loaded.profile.model_dump(mode="json")
    problems = [*_absent_files(loaded, tree), *unwritable_here(loaded)]
    for key in tool_programs(tree):
        program = at(tree, key)
        if isinstance(program, str) and which(program) is None:
            problem = f"there is no program {_shown(program)} on this machine"
            problems.append(problem_at(loaded.origins.place(key), key, problem, code="program-missing"))
    control = loaded.profile.control
    if control and control.enabled and control.path is None and runtime_folder(os.environ) is None:
        problem = "there is no place for the socket: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set here"
        place = loaded.origins.place(("control",))
        problems.append(problem_at(place, ("control",), problem, "name one: control.path", code="control-folder"))
    traces = loaded.profile.traces
    if traces and traces.enabled and (problem := unsupported_variable(os.environ)):
        problems.append(problem_at(loaded.origins.place(("traces",)), ("traces",), problem, code="traces-variable"))
    for key, module in _absent_modules(loaded.profile):
        problem = f"there is no module {module} on this machine"
        problems.append(problem_at(loaded.origins.place(key), key, problem, code="module-missing"))
    for key, module, extra in _libraries(loaded.profile):
        if not _is_installed(module):
            problem = f"needs {_distribution(module)}, not installed here"
            hint = install_command(extra)
            problems.append(problem_at(loaded.origins.place(key), key, problem, hint, code="library-missing"))
    return [*problems, *_missing_of_fallbacks(loaded)]


def _missing_of_fallbacks(loaded: LoadedProfile) -> Iterator[Problem]:
    """A warning for each library that only a fallback's endpoint needs, at the name of the fallback."""
    for index, (name, other) in enumerate(loaded.fallbacks):
        for needed, module, extra in _libraries(other):
            if needed[0] in {"auth", "endpoint"} and not _is_installed(module):
                key = ("run", "fallback", index)
                problem = f"{name} needs {_distribution(module)}, not installed here"
                place = loaded.origins.place(key)
                yield problem_at(place, key, problem, install_command(extra), code="library-missing")


def _distribution(module: str) -> str:
    return module.replace(".", "-").replace("_", "-")


def _absent_files(loaded: LoadedProfile, tree: dict[str, Any]) -> Iterator[Problem]:
    for key in (*READ_PATHS, *tool_files(tree)):
        path, is_folder = at(tree, key), key[-1] in _FOLDERS and key[0] == "tools"
        if isinstance(path, str) and not os.path.lexists(path):
            problem = f"there is no {'folder' if is_folder else 'file'} {_shown(path)} on this machine"
            yield problem_at(loaded.origins.place(key), key, problem, code="file-missing")
        elif isinstance(path, str) and not is_folder and Path(path).is_dir():
            problem = f"{_shown(path)} is a folder on this machine"
            yield problem_at(loaded.origins.place(key), key, problem, "name a file", code="file-missing")


def absent_devices(loaded: LoadedProfile) -> list[Problem]:
    """A problem for each microphone and speaker that a run would not find; it looks for them, which takes a moment."""
    profile = loaded.profile
    settings: list[tuple[Key, object]] = [(("input",), profile.input)]
    settings += [(("outputs", index), output) for index, output in enumerate(profile.outputs)]
    problems: list[Problem] = []
    for table, each in settings:
        if isinstance(each, MicrophoneInput | SpeakerOutput) and _is_installed("sounddevice"):
            from runner.audio.portaudio import find

            try:
                find(each.device, "input" if isinstance(each, MicrophoneInput) else "output")
            except RunnerError as error:
                key = (*table, "device")
                place = loaded.origins.place(key)
                problems.append(problem_at(place, key, error.message, error.hint, code="device-missing"))
    return problems


def _libraries(profile: Profile) -> Iterator[tuple[Key, str, str]]:
    """For each setting that needs one, the library and the extra that brings it."""
    if profile.auth.kind == "entra":
        yield ("auth", "kind"), "azure.identity", "azure"
    if profile.input.kind == "microphone":
        yield ("input", "kind"), "sounddevice", "audio"
    yield from _libraries_of_outputs(profile)
    if profile.http:
        yield ("http", "listen"), "prometheus_client", "metrics"
    if profile.traces and profile.traces.enabled:
        yield ("traces",), "opentelemetry.exporter.otlp.proto.http", "otel"
    if profile.run.loop == "uvloop":
        yield ("run", "loop"), "uvloop", "fast"
    for index, server in enumerate(profile.mcp_servers):
        if server.run.kind in ("stdio", "http"):
            yield ("mcp_servers", index, "run", "kind"), "mcp", "mcp"
    if profile.endpoint.kind == "local" and profile.endpoint.speech == "models":
        yield ("endpoint", "speech"), "moonshine_voice", "local"


def _libraries_of_outputs(profile: Profile) -> Iterator[tuple[Key, str, str]]:
    for index, output in enumerate(profile.outputs):
        if output.kind == "speaker":
            yield ("outputs", index, "kind"), "sounddevice", "audio"
        if output.kind == "stdout" and output.markdown:
            yield ("outputs", index, "markdown"), "rich", "markdown"


def _absent_modules(profile: Profile) -> Iterator[tuple[Key, str]]:
    """For each function whose module is not there, its key and the module; nothing is imported."""
    for index, tool in enumerate(profile.tools):
        if isinstance(tool.run, PythonRun):
            top = tool.run.function.partition(":")[0].partition(".")[0]
            folder = tool.run.path
            places = (folder / top, folder / f"{top}.py") if folder else ()
            if not (any(map(os.path.exists, places)) if folder else _is_installed(top)):
                yield ("tools", index, "run", "function"), top


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is a part of
        return False


def _shown(path: str) -> str:
    return repr(path if len(path) < 200 else f"{path[:60]}…")
