"""The arguments of a call: JSON that fits the schema of the tool, or a text that tells the model what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from pydantic_core import from_json
from referencing import Registry
from referencing.exceptions import Unresolvable

if TYPE_CHECKING:
    from runner.tools.tool_source import JsonObject

_LONGEST_CHARACTERS = 256 * 1024
_MOST_PROBLEMS = 5
_LONGEST_PROBLEM = 300
_TYPE_ALONE = frozenset({"type", "title", "description", "default", "examples"})
"""The keywords of a schema by which nothing but the type of a value is judged."""


class UnfitArguments(Exception):
    """The model has called a tool with arguments that it does not take; the text tells the model why."""


def schema_problem(schema: JsonObject) -> str:
    """Why arguments cannot be judged by a schema, in the words of JSON Schema; nothing where they can."""
    if not isinstance(schema.get("$schema", ""), str):
        return "its dialect is no text"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return _cut(error.message)
    except RecursionError:
        return "nested too deeply"
    return ""


class ArgumentSchema:
    """The schema of a tool's arguments.

    Args:
        schema: A JSON Schema; nothing that it refers to outside itself is fetched.
    """

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema

    @cached_property
    def _validator(self) -> Any:
        return _kind(validator_for(self.schema, default=Draft202012Validator))(self.schema, registry=Registry())

    def read(self, text: str) -> JsonObject:
        """The arguments in a text; nothing at all means none.

        Raises:
            UnfitArguments: They are no JSON object, or do not fit the schema.
        """
        if len(text) > _LONGEST_CHARACTERS:
            raise UnfitArguments(f"The arguments are longer than {_LONGEST_CHARACTERS} characters.")
        try:
            arguments = from_json(text, allow_inf_nan=False) if text.strip() else {}
        except ValueError:
            raise UnfitArguments("The arguments are not valid JSON. Call again with one JSON object.") from None
        if not isinstance(arguments, dict):
            raise UnfitArguments("The arguments are not a JSON object. Call again with one JSON object.")
        if problems := self._problems(arguments):
            raise UnfitArguments("\n".join(["The arguments do not fit the schema of the tool:", *problems]))
        return arguments

    def _problems(self, arguments: JsonObject) -> list[str]:
        try:
            found = list(islice(self._validator.iter_errors(arguments), _MOST_PROBLEMS))
        except Unresolvable as error:
            return [f"- the schema refers to {error.ref}, which is not in it"]
        except RecursionError:
            return ["- they are nested too deeply, or the schema refers to itself without end"]
        except Exception as error:  # noqa: BLE001  # such as a number that no arithmetic takes
            return [f"- they cannot be judged: {_cut(str(error))}"]
        return [f"- {_place(each.absolute_path)}{_cut(each.message)}" for each in found]


@cache
def _kind(dialect: Any) -> Any:
    """The validators of a dialect of JSON Schema, which judge everything in bounds; to make them takes long."""
    extended: Callable[..., Any] = extend
    return extended(dialect, {"uniqueItems": _unique_items, "properties": _properties})


def _properties(validator: Any, properties: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """Judge `properties`; jsonschema makes a validator for each, also for one that needs only to be of its type."""
    if validator.is_type(instance, "object"):
        for name, schema in properties.items():
            if name in instance and not _is_of_its_type(validator, instance[name], schema):
                yield from validator.descend(instance[name], schema, path=name, schema_path=name)


def _is_of_its_type(validator: Any, value: Any, schema: Any) -> bool:
    """Whether a schema asks for nothing but a type, and this value has it."""
    kind = schema.get("type") if isinstance(schema, dict) and schema.keys() <= _TYPE_ALONE else None
    return isinstance(kind, str) and bool(validator.is_type(value, kind))


def _unique_items(_validator: Any, is_wanted: Any, items: Any, _schema: Any) -> Iterator[ValidationError]:
    """Judge `uniqueItems` in linear time; jsonschema compares each element with all others, which may take minutes."""
    if is_wanted and isinstance(items, list) and len({_canonical(each) for each in items}) < len(items):
        yield ValidationError("the elements are not all different")


def _canonical(value: Any) -> str:
    """A text that is the same for what JSON Schema takes for equal, such as 1 and 1.0."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _place(path: Any) -> str:
    place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).removeprefix(".")
    return f"{_cut(place)}: " if place else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_PROBLEM else f"{text[:_LONGEST_PROBLEM]}…"


def argument_names(text: str) -> list[str]:
    """The names of the arguments in a text, none where it holds none."""
    try:
        arguments = from_json(text)
    except ValueError:
        return []
    return list(arguments) if isinstance(arguments, dict) else []
