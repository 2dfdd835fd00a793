"""`~` in paths: the home directory; variables in paths are refused, because nothing replaces them."""

import os
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$\{\w+\}?|\$[A-Z_][A-Z0-9_]*|(?<![^/])\$[a-z]\w*")


def home_expanded(path: str, environ: Mapping[str, str]) -> str:
    """The path with the home directory in place of a leading `~`.

    Args:
        path: A path as a profile, a flag or a variable says it.
        environ: The environment, whose `HOME` is the home directory.

    Raises:
        ValueError: It has a variable in it, another user's home, or there is no home directory; the message says so.
    """
    if found := _VARIABLE.search(path):
        msg = f"{found[0]} is not replaced by its value; write the path itself, or ~/ for the home directory"
        raise ValueError(msg)
    if not path.startswith("~"):
        return path
    name, slash, rest = path.partition("/")
    if name != "~":
        msg = f"{name} is not replaced by another user's home directory; write the path itself, or ./{name} for a file"
        raise ValueError(msg)
    home = environ.get("HOME") or _home_of_account()
    if not home:
        msg = "~ is the home directory, and there is none: HOME is not set"
        raise ValueError(msg)
    return f"{home}{slash}{rest}"


def _home_of_account() -> str:
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises where there is none
    return "" if home == "~" else home
