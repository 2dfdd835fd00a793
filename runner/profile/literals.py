"""Values typed as text: on the command line, or in an environment variable."""

import json
import math
from typing import Any

import tomli
from pydantic import TypeAdapter, ValidationError

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


def _unquoted(text: str) -> str:
    """The text without the quotes that a `.env` file or a shell may have left around it."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def typed(text: str, slot: Slot | None, *, quotes: bool) -> Any:
    """The value that a text means in its place: text where only text may stand, a number or boolean where one may.

    Elsewhere it is a literal, and text where it is none.

    Args:
        text: What was typed.
        slot: What may stand there.
        quotes: Whether a TOML string in quotes loses them.
    """
    if slot and slot.only_text and not quotes:
        return text
    kinds = [kind for _, kind in slot.alternatives] if slot else []
    for kind in (kind for kind in kinds if kind in (bool, int, float)):
        try:
            return TypeAdapter(kind).validate_python(text if str in kinds else _unquoted(text))
        except ValidationError:
            continue
    try:
        value = literal(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # "inf" is a word of the API; no field takes the number
    return value if isinstance(value, str) or not (slot and slot.only_text) else text
