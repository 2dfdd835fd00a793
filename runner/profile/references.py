"""Paths and texts that a profile refers to, `~` being the home directory; what is read starts beside the profile."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.profile.home import home_expanded
from runner.profile.keys import Key, at
from runner.profile.layers import Layer
from runner.profile.problems import Problem, problem_at
from runner.profile.read import UnreadableText, read_text
from runner.profile.tool_keys import tool_files, tool_programs, tool_schemas
from runner.protocol.json_text import loads

READ_PATHS: tuple[Key, ...] = (
    ("endpoint", "ca_file"),
    ("endpoint", "client_certificate", "file"),
    ("endpoint", "client_certificate", "key_file"),
    ("auth", "certificate_file"),
    ("auth", "api_key", "file"),
    ("auth", "client_secret", "file"),
    ("endpoint", "brain", "api_key", "file"),
    ("input", "path"),
    ("greeting", "audio"),
    ("report", "webhook", "secret", "file"),
)
"""The keys of the files that a session reads."""
_AUTHORITIES = "ca_file"
_PROGRAMS: tuple[Key, ...] = (
    ("auth", "api_key", "command", 0),
    ("auth", "client_secret", "command", 0),
    ("endpoint", "brain", "api_key", "command", 0),
    ("report", "webhook", "secret", "command", 0),
)
_TEXTS: tuple[Key, ...] = (("session", "instructions"), ("session", "delegation", "responses", "instructions"))


def resolved(layer: Layer, environ: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """The layer with whole paths and with the texts that it refers to, and the problems of those.

    Args:
        layer: What one source says.
        environ: The environment, which knows the home directory.
    """
    data = layer.data
    problems: list[Problem] = []
    for key, path, starts_here in _said_paths(layer.data):
        try:
            whole = _whole(path, key, layer, environ, starts_here=starts_here)
        except ValueError as error:
            problems.append(problem_at(layer.place(key), key, str(error), code="path"))
            whole = "/"
        data = _with(data, key, whole)
    for key in _TEXTS:
        reference = at(data, key)
        if isinstance(reference, dict):
            text, problem = _text(layer, key, reference, environ)
            data = _with(data, key, text)
            problems.extend(problem)
    for key, schema in tool_schemas(layer.data):
        if set(schema) == {"file"} and isinstance(schema["file"], str):
            read, problem = _schema(layer, key, schema, environ)
            data = _with(data, key, read)
            problems.extend(problem)
    return replace(layer, data=data), problems


def _said_paths(data: dict[str, Any]) -> Iterator[tuple[Key, str, bool]]:
    """Every path that a layer says, and whether a relative one starts at the profile.

    These are the files that are read, the programs, and the files that are written.
    """
    outputs = data.get("outputs")
    each: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(outputs, dict | list):
        each = iter(outputs.items()) if isinstance(outputs, dict) else enumerate(outputs)
    written: list[Key] = [("outputs", place, "path") for place, _ in each]
    read, programs = (*READ_PATHS, *tool_files(data)), tuple(tool_programs(data))
    for key in (
        *read,
        *programs,
        *_PROGRAMS,
        *written,
        ("journal", "path"),
        ("report", "path"),
        ("report", "spool"),
        ("run", "resume", "path"),
        ("control", "path"),
    ):
        path = at(data, key)
        if isinstance(path, str) and path:
            # A program without a slash is looked for in PATH.
            yield key, path, key in read or (key in programs and "/" in path)


def _whole(path: str, key: Key, layer: Layer, environ: Mapping[str, str], *, starts_here: bool) -> str:
    if "\x00" in path:
        msg = "must be a path"
        raise ValueError(msg)
    path = home_expanded(path, environ)
    if key[-1] == _AUTHORITIES and not Path(path).is_absolute() and not _is_file(layer.folder / path):
        # What stands beside a profile comes with it; other files may be on the machine where it runs.
        msg = "there is no such file; a relative path starts at the profile that says it"
        raise ValueError(msg)
    return str(layer.folder / path) if starts_here else path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _schema(
    layer: Layer, key: Key, reference: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The schema in a file, that of any object where there is a problem with it."""
    text, problems = _text(layer, key, reference, environ)
    if problems:
        return {"type": "object"}, problems
    try:
        schema = loads(text)
    except ValueError:
        schema = None
    if isinstance(schema, dict):
        return schema, []
    problem = f"the file {_named(layer.folder / reference['file'])} holds no JSON object"
    return {"type": "object"}, [problem_at(layer.place((*key, "file")), (*key, "file"), problem, code="file-reference")]


def _text(layer: Layer, key: Key, reference: dict[str, Any], environ: Mapping[str, str]) -> tuple[str, list[Problem]]:
    path = reference.get("file")
    if set(reference) != {"file"} or not isinstance(path, str) or not path or "\x00" in path:
        wrong = next((name for name in reference if name != "file"), None)
        place = layer.place((*key, wrong), "key") if wrong else layer.place(key)
        problem = "must be a text, or a file to read it from"
        return "", [problem_at(place, key, problem, f'{key[-1]} = {{ file = "…" }}', code="file-reference")]
    place = layer.place((*key, "file"))
    try:
        path = home_expanded(path, environ)
    except ValueError as error:
        return "", [problem_at(place, (*key, "file"), str(error), code="path")]
    try:
        return read_text(layer.folder / path), []
    except UnreadableText as error:
        where = f", line {error.line}" if error.line > 1 else ""
        problem = f"the file {_named(layer.folder / path)}{where} {error}"
        hint = "a relative path starts at the profile that says it"
        return "", [problem_at(place, (*key, "file"), problem, hint, code="file-reference")]


def _named(path: Path) -> str:
    return repr(str(path)) if len(str(path)) < 500 else repr(f"{str(path)[:60]}…")


def _with(data: Any, key: Key, value: Any) -> Any:
    """A copy of tables and arrays with another value at a key that is there."""
    name = key[0]
    inner = value if len(key) == 1 else _with(data[name], key[1:], value)
    if isinstance(data, list):
        return [inner if index == name else each for index, each in enumerate(data)]
    return {**data, name: inner}
