"""Values typed as text: on the command line, or in an environment variable."""

import json
import math
from typing import Any

import tomli

from runner.profile.keys import DEPTH_LIMIT, depth
from runner.profile.model_keys import Slot


def literal(text: str) -> Any:
    """Read a TOML value, or else JSON.

    Raises:
        ValueError: It is neither.
    """
    try:
        table = tomli.loads(f"v = {text}")
        value = table["v"] if len(table) == 1 else json.loads(text)
    except (ValueError, RecursionError):
        value = _json(text)
    if depth(value) > DEPTH_LIMIT:
        msg = f"nests deeper than {DEPTH_LIMIT} levels"
        raise ValueError(msg)
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        msg = f"nests deeper than {DEPTH_LIMIT} levels"
        raise ValueError(msg) from None


def typed(text: str, slot: Slot | None, *, quotes: bool) -> Any:
    """The value that a text means in its place: text where only text may stand, else a literal, else text.

    Args:
        text: What was typed.
        slot: What may stand there.
        quotes: Whether a TOML string in quotes loses them.
    """
    if slot and slot.only_text and not quotes:
        return text
    try:
        value = literal(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # "inf" is a word of the API; no field takes the number
    return value if isinstance(value, str) or not (slot and slot.only_text) else text
