"""Reading one TOML file, or the text that it refers to."""

import os
import stat
from pathlib import Path

from runner.errors import reason_of
from runner.profile.builtin_profiles import is_builtin
from runner.profile.layers import Layer, shown
from runner.profile.problems import Place, ProfileProblems, problem_at
from runner.profile.toml_syntax import parsed

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
    except UnreadableText as error:
        place = Place(label, error.line, error.column)
        raise ProfileProblems([problem_at(place, (), str(error), code="unreadable")]) from None
    folder = Path.cwd() if is_builtin(path) else path.parent
    return Layer("file", parsed(text, label), folder, path, text)


class UnreadableText(ValueError):
    """A file that is no small text; the message says why.

    Args:
        message: What is wrong with it.
        line: Where, counted from 1.
        column: Where in the line, counted from 1.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read_text(path: Path) -> str:
    """Read a small UTF-8 file.

    Raises:
        UnreadableText: It cannot be read; the message says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # the descriptor makes check and use one file
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                msg = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
                raise UnreadableText(msg)
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        msg = "is a directory" if isinstance(error, IsADirectoryError) else f"cannot be read: {_reason(error)}"
        raise UnreadableText(msg) from None
    if len(data) > SIZE_LIMIT:
        msg = f"is larger than {SIZE_LIMIT >> 20} MiB"
        raise UnreadableText(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().split("\n")
        msg = "is not UTF-8"
        raise UnreadableText(msg, len(before), len(before[-1]) + 1) from None


def _reason(error: OSError) -> str:
    return reason_of(error).lower()
