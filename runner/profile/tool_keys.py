"""Where the tools of a profile name files, folders, programs and schemas."""

from collections.abc import Iterator
from typing import Any

from runner.profile.keys import Key, at
from runner.settings.secret import KINDS

_ARRAYS = ("tools", "mcp_servers")
_FILES = (("run", "ca_file"), ("run", "cwd"), ("run", "path"))
_PROGRAMS = (("run", "argv", 0), ("approval", "command", 0))
_GIVEN = (("run", "env"), ("run", "headers"))

_TOKEN = ("run", "authorization")


def tools_of(tree: Any) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every tool and every server of tools in a profile, or in a layer that changes some of them by number.

    Who does what a Live model delegates is run as a tool is.
    """
    if isinstance(delegate := tree.get("delegate"), dict):
        yield ("delegate",), delegate
    for name in _ARRAYS:
        array = tree.get(name)
        each = array.items() if isinstance(array, dict) else enumerate(array) if isinstance(array, list) else ()
        for index, tool in each:
            if isinstance(tool, dict) and str(index).isdecimal():
                yield (name, index), tool


def tool_files(tree: Any) -> Iterator[Key]:
    """The keys of all files and folders that tools read."""
    for key, tool in tools_of(tree):
        yield from ((*key, *below) for below in _FILES)
        yield from ((*key, *below, "file") for below in _given(tool))


def tool_programs(tree: Any) -> Iterator[Key]:
    """The keys of all programs that tools start."""
    for key, tool in tools_of(tree):
        yield from ((*key, *below) for below in _PROGRAMS)
        yield from ((*key, *below, "command", 0) for below in _given(tool))


def tool_schemas(tree: Any) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The schemas of arguments that tools declare, by their keys."""
    for key, tool in tools_of(tree):
        if isinstance(schema := tool.get("parameters"), dict):
            yield (*key, "parameters"), schema


def given_texts(tree: Any) -> Iterator[tuple[Key, str]]:
    """The variables and headers that tools are given as they stand, by their keys."""
    for key, tool in tools_of(tree):
        for below in _GIVEN:
            table = at(tool, below)
            for name, value in table.items() if isinstance(table, dict) else ():
                if isinstance(value, str):
                    yield (*key, *below, name), value


def _given(tool: dict[str, Any]) -> Iterator[Key]:
    """The keys of the references to secrets that a tool is given."""
    for below in _GIVEN:
        table = at(tool, below)
        for name, value in table.items() if isinstance(table, dict) else ():
            if isinstance(value, dict) and any(kind in value for kind in KINDS):
                yield (*below, name)
    if isinstance(at(tool, _TOKEN), dict):
        yield _TOKEN
