"""The MCP servers in a file that other clients take: `mcpServers` in JSON, each of them as a profile has it."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from runner import redaction
from runner.profile.keys import Key, at, leaves, looks_secret
from runner.profile.layers import Layer, shown
from runner.profile.problems import Place, Problem, problem_at
from runner.profile.read import UnreadableText, read_text
from runner.profile.rules_secrets import names_credential
from runner.protocol.json_text import loads

_TABLES: Final = ("mcpServers", "servers")
_HTTP: Final = frozenset({"http", "streamable-http", "streamableHttp"})
_KNOWN: Final = frozenset({"type", "command", "args", "env", "cwd", "url", "headers", "disabled"})
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_FILLED_IN: Final = "${"
_IN_PROFILE: Final = 'write this server in the profile, with references such as env = { NAME = { env = "NAME" } }'


class FileServers(NamedTuple):
    """The servers of one file, and what is wrong with it or looks so."""

    servers: list[dict[str, Any]]
    """Each with its name and how it is run, as `[[mcp_servers]]` has them."""
    problems: list[Problem]
    warnings: list[Problem]


def with_file_servers(layer: Layer) -> tuple[Layer, list[Problem], list[Problem]]:
    """The layer with the servers of files in the place of those files, and the problems and warnings of the files.

    The first server of a file has its place, the others stand after all that the layer says itself, whose places in
    the file therefore stay.
    """
    servers = layer.data.get("mcp_servers")
    problems: list[Problem] = []
    warnings: list[Problem] = []
    if not isinstance(servers, list):
        return layer, problems, warnings
    ours: list[Any] = []
    others: list[Any] = []
    for index, each in enumerate(servers):
        path = at(each, ("run", "path")) if isinstance(each, dict) and at(each, ("run", "kind")) == "file" else None
        if not isinstance(path, str):
            ours.append(each)
            continue
        found = servers_of(Path(path))
        warnings += found.warnings
        key: Key = ("mcp_servers", index, "run", "path")
        if found.problems:
            problems += found.problems
        elif not found.servers:
            problem = f"there is no server in {shown(Path(path))}"
            problems.append(problem_at(layer.place(key), key, problem, code="mcp-file"))
        limits = {name: value for name, value in each.items() if name not in ("name", "run")}
        taken = [{**limits, **server} for server in found.servers]
        ours += taken[:1] or [each]
        others += taken[1:]
    return replace(layer, data={**layer.data, "mcp_servers": [*ours, *others]}), problems, warnings


def servers_of(path: Path) -> FileServers:
    """Read a file."""
    label = shown(path)
    try:
        document = loads(read_text(path))
    except UnreadableText as error:
        return FileServers([], [_problem(Place(label, error.line, error.column), (), str(error))], [])
    except ValueError:
        return FileServers([], [_problem(Place(label), (), "is not JSON")], [])
    table = next((name for name in _TABLES if isinstance(at(document, (name,)), dict)), "")
    if not isinstance(document, dict) or not table:
        problem = "has no mcpServers"
        return FileServers([], [_problem(Place(label), (), problem, 'it holds { "mcpServers": { "NAME": … } }')], [])
    found = FileServers([], [], [])
    for name, server in document[table].items():
        key: Key = (table, name)
        problems = list(_wrong(server, key, label))
        found.problems.extend(problems)
        if problems or server.get("disabled") is True:
            continue
        found.warnings.extend(_odd(server, key, label))
        run = _run(server, path.parent)
        found.servers.append({"name": _ODD.sub("_", name)[:64] or "_", "run": run})
    return found


def _run(server: dict[str, Any], folder: Path) -> dict[str, Any]:
    if "url" in server:
        return {"kind": "http", "url": server["url"], "headers": server.get("headers", {})}
    command, cwd = server["command"], server.get("cwd")
    program = str(folder / command) if "/" in command else command
    where = {} if cwd is None else {"cwd": str(folder / os.path.expanduser(cwd))}  # noqa: PTH111  # Path's raises for nobody
    return {"kind": "stdio", "argv": [program, *server.get("args", [])], "env": server.get("env", {}), **where}


def _wrong(server: Any, key: Key, label: str) -> Iterator[Problem]:
    """What of a server cannot be used."""
    if not isinstance(server, dict):
        yield _problem(Place(label), key, "must be an object")
        return
    for below, value in leaves(server, key):
        if isinstance(value, str) and _FILLED_IN in value:
            yield _problem(Place(label), below, "nothing is filled in for ${…} here", _IN_PROFILE)
    for name, problem, hint in (*_wrong_kind(server), *_wrong_values(server)):
        yield _problem(Place(label), (*key, name), problem, hint)


def _wrong_kind(server: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    kind = server.get("type", "http" if "url" in server else "stdio")
    if kind == "sse":
        hint = "most servers speak streamable HTTP too, often at an address that ends in /mcp"
        yield "type", "the old transport sse is not spoken", hint
    elif kind not in (*_HTTP, "stdio"):
        yield "type", 'must be "stdio" or "http"', ""
    else:
        needed = "url" if kind in _HTTP else "command"
        if not isinstance(server.get(needed), str) or not server[needed]:
            yield needed, "must be a text" if needed in server else "is missing", ""


def _wrong_values(server: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in ("env", "headers"):
        table = server.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            yield name, "must be an object of texts", ""
    arguments = server.get("args", [])
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        yield "args", "must be an array of texts", ""
    if not isinstance(server.get("cwd", ""), str):
        yield "cwd", "must be a text", ""


def _odd(server: dict[str, Any], key: Key, label: str) -> Iterator[Problem]:
    """What is left out of a server, and the secrets that it spells out; these are hidden from now on."""
    for name in server.keys() - _KNOWN:
        yield _problem(Place(label), (*key, name), "is not known here, and left out", code="mcp-file-key")
    for below, value in leaves(server, key):
        is_given = below[-2] in ("env", "headers") and names_credential(str(below[-1]))
        if isinstance(value, str) and value and (is_given or looks_secret(value)):
            redaction.hide(value)
            problem = "a secret stands in this file"
            yield _problem(Place(label), below, problem, _IN_PROFILE, code="literal-secret")


def _problem(place: Place, key: Key, problem: str, hint: str = "", *, code: str = "mcp-file") -> Problem:
    return problem_at(place, key, problem, hint, code=code)
