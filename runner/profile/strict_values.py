"""Values that pydantic would take and no file may say: what JSON has not, and texts where numbers or booleans belong.

What is typed as text, in flags and in the environment, has its type already (`literals.py`).
"""

import math
import re
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from runner.profile.keys import Key, leaves
from runner.profile.merge import Owners
from runner.profile.model_keys import slot_at
from runner.profile.problems import Problem, problem_at

_NAMES: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number"}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_UNITS: dict[str, dict[str, float]] = {
    "_s": {"": 1, "ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400},
    "_ms": {"": 1, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000},
    "_bytes": {"": 1, "b": 1, "kb": 1000, "kib": 1024, "mb": 10**6, "mib": 1 << 20, "gb": 10**9, "gib": 1 << 30},
}


def strict_problems(tree: dict[str, Any], owners: Owners) -> Iterator[tuple[Key, Problem]]:
    """The problem of every value that is of no type that its place takes, by its key."""
    for key, value in leaves(tree):
        problem, hint, code = _unusable(value)
        if not problem and isinstance(value, str | bool | int | float):
            problem, hint = _mistyped(key, value, tree)
        if problem:
            yield key, problem_at(owners[key].place(key), key, problem, hint, code=code)


def _unusable(value: Any) -> tuple[str, str, str]:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number", "", "not-finite"
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return "must fit into 64 bits", "", "integer-range"
    if isinstance(value, date | time):
        return "must not be a date or time; put it in quotes", "", "date"
    return "", "", "invalid-value"


def _mistyped(key: Key, value: Any, tree: dict[str, Any]) -> tuple[str, str]:
    """Problem and hint for a value whose place takes numbers or booleans, and not this one."""
    slot = slot_at(key, tree)
    if slot is None or slot.open or slot.only_text or slot.models:
        return "", ""  # the models say it
    kinds = [kind for _, kind in slot.alternatives]
    taken = [kind for kind in kinds if kind in _NAMES]
    problem = f"must be {' or '.join(_NAMES[kind] for kind in taken)}" if taken else "must not be true or false"
    if isinstance(value, bool):
        # For Python a boolean is a number too.
        return ("", "") if bool in kinds else (problem, "")
    if len(taken) < len(kinds) or type(value) in taken or (type(value) is int and float in taken):
        return "", ""
    return problem, _as_bool(value) if bool in taken else _as_number(value, str(key[-1]), whole=float not in taken)


def _as_bool(value: Any) -> str:
    words = {"true": "true", "yes": "true", "on": "true", "1": "true", "false": "false", "no": "false", "off": "false"}
    word = {**words, "0": "false"}.get(str(value).lower(), "")
    return f"write {word}, without quotes" if word and isinstance(value, str) else f"write {word}" if word else ""


def _as_number(value: Any, name: str, *, whole: bool) -> str:
    """What to write instead of a text such as `"10s"`, in the unit that the key's name says."""
    if isinstance(value, float):
        return f"write {value:.0f}" if value.is_integer() else ""
    found = _QUANTITY.fullmatch(value)
    unit = next((unit for unit in ("_ms", "_s", "_bytes") if name.endswith(unit)), "")
    factor = _UNITS.get(unit, {"": 1.0}).get(found[2].lower()) if found else None
    if found is None or factor is None:
        return "write it without quotes" if re.fullmatch(r"[-+]?\d+(\.\d+)?", value) else ""
    number = float(found[1]) * factor
    if whole and not number.is_integer():
        return ""
    return f"write {int(number)}, without quotes" if number.is_integer() else f"write {number:g}, without quotes"
