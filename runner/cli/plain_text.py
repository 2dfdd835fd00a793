"""Text for a terminal: whatever could move its cursor, or turn its letters round, is written as an escape.

Every command writes what it has read in a profile, in the environment or in an argument through here.
"""

import sys
from typing import TextIO


def plain(text: str) -> str:
    """The text with JSON's escape for every character that is not printable, line breaks apart; so JSON stays JSON."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in text)


def plain_line(text: str) -> str:
    """The text on one line, as `plain` makes it: a name with a line break in it writes no second line."""
    return plain(text).replace("\n", "\\n")


def _escape(character: str) -> str:
    import json

    return json.dumps(character)[1:-1]


def write_plain(text: str, stream: TextIO | None = None) -> None:
    """Write a text to standard output, or to another stream, as `plain` makes it."""
    (stream or sys.stdout).write(plain(text))
