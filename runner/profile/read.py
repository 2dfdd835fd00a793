"""Reading one TOML file, or the text that it refers to."""

import os
import stat
from pathlib import Path
from typing import Any

import tomli

from runner.errors import reason_of
from runner.profile.keys import DEPTH_LIMIT, depth
from runner.profile.layers import Layer, shown
from runner.profile.problems import Place, ProfileProblems, problem_at

SIZE_LIMIT = 1 << 20
"""The largest profile, or text that a profile refers to, in bytes."""


def read_layer(path: Path) -> Layer:
    """Read a profile's own file.

    Raises:
        ProfileProblems: It cannot be read, or is not TOML.
    """
    label = shown(path)
    try:
        text = read_text(path)
    except ValueError as error:
        raise ProfileProblems([problem_at(Place(label, 1, 1), (), str(error), code="unreadable")]) from None
    return Layer("file", _parse(text, label), path.parent, path, text)


def read_text(path: Path) -> str:
    """Read a small UTF-8 file.

    Raises:
        ValueError: It cannot be read; the message says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # the descriptor makes check and use one file
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                msg = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
                raise ValueError(msg)
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        msg = "is a directory" if isinstance(error, IsADirectoryError) else f"cannot be read: {_reason(error)}"
        raise ValueError(msg) from None
    if len(data) > SIZE_LIMIT:
        msg = f"is larger than {SIZE_LIMIT >> 20} MiB"
        raise ValueError(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"is not UTF-8 (line {line})"
        raise ValueError(msg) from None


def _reason(error: OSError) -> str:
    return reason_of(error).lower()


def _parse(text: str, label: str) -> dict[str, Any]:
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        place = Place(label, error.lineno, error.colno)
        raise ProfileProblems([problem_at(place, (), f"not TOML: {_lowered(error.msg)}", code="syntax")]) from None
    except RecursionError:
        data = None
    except ValueError:  # Python bounds the digits of an integer
        place = Place(label, _longest_line(text), 1)
        raise ProfileProblems([problem_at(place, (), "a number has too many digits", code="integer-range")]) from None
    if data is None or depth(data) > DEPTH_LIMIT:
        problem = f"tables and arrays nest deeper than {DEPTH_LIMIT} levels"
        raise ProfileProblems([problem_at(Place(label, _deepest_line(text), 1), (), problem, code="too-deep")])
    return data


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _longest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda index: sum(map(str.isalnum, lines[index]))) + 1


def _deepest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda index: sum(map(lines[index].count, "[{."))) + 1
