"""The signature of a Python function as the schema of its arguments, and JSON as what its annotations ask for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, get_type_hints

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict

from runner.errors import ProfileError
from runner.tools.call_arguments import UnfitArguments

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema

    from runner.tools.tool_source import JsonObject

_SECTION = re.compile(r"(Args|Arguments|Parameters):", re.IGNORECASE)
_HEADING = re.compile(r"[A-Z][A-Za-z ]*:")
_PARAMETER = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)")
_MOST_PROBLEMS = 5
_table: Any = TypedDict


class _PlainSchema(GenerateJsonSchema):
    """A schema without the titles that only repeat the names."""

    def field_title_should_be_set(self, schema: CoreSchema | FieldInfo | Any) -> bool:
        return False


class FunctionSignature:
    """What a function takes.

    Args:
        function: A function whose parameters can be given by name.
        name: What people call it.

    Raises:
        ProfileError: Its parameters cannot be given as a JSON object.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.description, documented = _docstring(inspect.getdoc(function) or "")
        try:
            self._adapter, self.parameters = _adapter(function, documented)
        except (PydanticUserError, NameError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            msg = f"the signature of {name} does not make a schema: {reason}"
            raise ProfileError(msg, hint="annotate its parameters with types that pydantic knows") from None

    def bound(self, arguments: JsonObject) -> dict[str, Any]:
        """The arguments as the annotations ask for them.

        Raises:
            UnfitArguments: They do not fit.
        """
        try:
            return dict(self._adapter.validate_python(arguments))
        except ValidationError as error:
            problems = [
                f"- {'.'.join(map(str, each['loc']))}: {each['msg']}"
                for each in error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
            ]
            raise UnfitArguments("\n".join(["The arguments do not fit the tool:", *problems])) from None


def _adapter(function: Callable[..., Any], documented: dict[str, str]) -> tuple[TypeAdapter[Any], JsonObject]:
    hints = get_type_hints(function if inspect.isroutine(function) else type(function).__call__, include_extras=True)
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    takes_others = False
    for parameter in inspect.signature(function).parameters.values():
        kind = hints.get(parameter.name, Any)
        match parameter.kind:
            case parameter.POSITIONAL_ONLY | parameter.VAR_POSITIONAL:
                msg = f"{parameter.name} cannot be given by name"
                raise TypeError(msg)
            case parameter.VAR_KEYWORD:
                takes_others = True
                continue
        if text := documented.get(parameter.name):
            kind = Annotated[kind, Field(description=text)]
        if parameter.default is not parameter.empty:
            kind = NotRequired[kind]
            defaults[parameter.name] = parameter.default
        fields[parameter.name] = kind
    table: Any = _table("Arguments", fields)
    table.__pydantic_config__ = ConfigDict(extra="allow" if takes_others else "forbid")
    adapter = TypeAdapter(table)
    schema = adapter.json_schema(schema_generator=_PlainSchema)
    schema.pop("title", None)
    for name, default in defaults.items():
        try:
            schema["properties"][name].setdefault("default", to_jsonable_python(default))
        except PydanticSerializationError:
            continue
    return adapter, schema


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of its parameters in a section `Args:`."""
    described: list[str] = []
    parameters: dict[str, str] = {}
    section, name, indent = "", "", 0
    for line in text.splitlines():
        words = line.strip()
        if words and not line[0].isspace() and _HEADING.fullmatch(words):
            section, name = words, ""
        elif not section:
            described.append(line)
        elif _SECTION.fullmatch(section) and words:
            depth = len(line) - len(line.lstrip())
            found = _PARAMETER.match(words)
            if found and (not name or depth <= indent):
                name, indent = found[1], depth
                parameters[name] = found[2]
            elif name:
                parameters[name] = f"{parameters[name]} {words}".strip()
    return "\n".join(described).strip(), parameters
