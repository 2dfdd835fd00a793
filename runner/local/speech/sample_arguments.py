"""Arguments that fit the schema of a function, for a caller that must call it and knows nothing."""

from collections.abc import Mapping
from typing import Any, Final

_SAMPLES: Final[dict[str, Any]] = {"integer": 1, "number": 1, "boolean": True, "array": [], "null": None}


def sample_arguments(schema: Any, words: str) -> Any:
    """A value for a JSON Schema: its default or first choice, else the words where it takes text.

    Args:
        schema: The schema, which nobody has checked; what it only refers to is not followed.
        words: What the user said.
    """
    if not isinstance(schema, Mapping):
        return None
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    match schema.get("enum"), schema.get("type", "object"):
        case [[first, *_], _]:
            return first
        case [_, [kind, *_] | str(kind)]:
            pass
        case _:
            kind = "object"
    if kind == "string":
        return words
    return _object(schema, words) if kind == "object" else _SAMPLES.get(kind)


def _object(schema: Mapping[str, Any], words: str) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    if not (isinstance(properties, Mapping) and isinstance(required, list)):
        return {}
    return {name: sample_arguments(properties.get(name), words) for name in required if isinstance(name, str)}
