"""The errors by which the local endpoint refuses a client event."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from runner.local.session.server_event import ServerEvent, server_event

_TYPE_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    type(None): "null",
}
_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_BOUNDS = {
    "greater_than_equal": ("below_min_value", "below minimum value", ">=", "ge"),
    "less_than_equal": ("above_max_value", "above maximum value", "<=", "le"),
}
_LENGTHS = {
    "string_too_long": ("string_above_max_length", "string too long", "maximum length", "max_length"),
    "string_too_short": ("string_below_min_length", "string too short", "minimum length", "min_length"),
    "too_long": ("array_above_max_length", "array too long", "maximum length", "max_length"),
    "too_short": ("array_below_min_length", "array too short", "minimum length", "min_length"),
}
_LONGEST_QUOTE = 64


class ApiError(Exception):
    """A client event is refused; the client gets an `error` event and the session goes on.

    Args:
        message: The sentence for the developer of the client.
        code: The API's error code.
        param: The dotted path of the offending field, such as `session.audio.input.turn_detection.type`.
    """

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param

    def event(self, event_id: str | None = None) -> ServerEvent:
        """The `error` event that answers the client event with this id."""
        error = {"type": "invalid_request_error", "code": self.code, "message": self.message, "param": self.param}
        return server_event("error", error={**error, "event_id": event_id})


def json_type(value: object) -> str:
    """The JSON type of a value, with its article."""
    return _TYPE_NAMES.get(type(value), "a value")


def missing(param: str) -> ApiError:
    """A required field is missing."""
    return ApiError(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def invalid_type(param: str, expected: str, value: object) -> ApiError:
    """A field has the wrong JSON type."""
    message = f"Invalid type for '{param}': expected {expected}, but got {json_type(value)} instead."
    return ApiError(message, code="invalid_type", param=param)


def invalid_value(param: str, value: object, supported: Sequence[str]) -> ApiError:
    """A field has none of its possible values."""
    given = value if isinstance(value, str) else str(value)
    given = given if len(given) <= _LONGEST_QUOTE else f"{given[:_LONGEST_QUOTE]}…"
    quoted = [f"'{each}'" for each in supported]
    choice = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    verb = "Supported value is" if len(quoted) == 1 else "Supported values are"
    return ApiError(f"Invalid value: '{given}'. {verb}: {choice}.", code="invalid_value", param=param)


def api_error_for(errors: list[ErrorDetails], document: dict[str, Any]) -> ApiError:
    """The API's error for what pydantic has found; an unknown field is reported before anything else."""
    error = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    param = _path(error["loc"], document, absent=kind == "missing")
    if kind == "extra_forbidden":
        return ApiError(f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)
    if kind == "missing":
        return missing(param)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _wrong_kind(param, error)
    if kind == "literal_error":
        supported = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        if not isinstance(value, str) and not isinstance(value, (int, float)):
            return invalid_type(param, "a string", value)
        return invalid_value(param, value, supported)
    if kind in _EXPECTED:
        return invalid_type(param, _EXPECTED[kind], value)
    return _out_of_bounds(param, error)


def _wrong_kind(param: str, error: ErrorDetails) -> ApiError:
    value = error["input"]
    if not isinstance(value, dict):
        return invalid_type(param, "an object", value)
    field = "role" if value.get("type") == "message" else "type"
    if field not in value:
        return missing(f"{param}.{field}")
    if not isinstance(value[field], str):
        return invalid_type(f"{param}.{field}", "a string", value[field])
    known = [each.strip("' ") for each in error.get("ctx", {}).get("expected_tags", "").split(",")]
    if field == "role":
        known = [each.removesuffix("_message") for each in known if each.endswith("_message")]
    else:
        known = list(dict.fromkeys("message" if each.endswith("_message") else each for each in known))
    return invalid_value(f"{param}.{field}", value[field], known)


def _out_of_bounds(param: str, error: ErrorDetails) -> ApiError:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind in _BOUNDS:
        suffix, words, sign, bound = _BOUNDS[kind]
        number = "integer" if isinstance(value, int) else "decimal"
        message = (
            f"Invalid '{param}': {number} {words}. Expected a value {sign} {context[bound]}, but got {value} instead."
        )
        return ApiError(message, code=f"{number}_{suffix}", param=param)
    if kind in _LENGTHS:
        code, words, bound, key = _LENGTHS[kind]
        what = "a string" if "string" in kind else "an array"
        length = context.get("actual_length") or len(value)
        message = (
            f"Invalid '{param}': {words}. Expected {what} with {bound} {context[key]}, "
            f"but got {what} with length {length} instead."
        )
        return ApiError(message, code=code, param=param)
    return ApiError(f"Invalid value for '{param}': {error['msg']}.", code="invalid_value", param=param)


def _path(location: Sequence[int | str], document: object, *, absent: bool) -> str:
    """A dotted path out of pydantic's location, which also names the member of each union."""
    path, here, tagged = "", document, False
    for position, step in enumerate(location):
        last = absent and position == len(location) - 1
        if isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
            tagged = False
        elif last or (isinstance(here, dict) and step in here and (tagged or step != here.get("type"))):
            path += f".{step}" if path else step
            here = here.get(step) if isinstance(here, dict) else None
            tagged = False
        else:
            tagged = True
    return path
