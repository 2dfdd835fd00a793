"""The JSON Schemas of profiles: one for authors, one for what all layers say together."""

import json
from typing import Any

from pydantic import BaseModel

from runner.api.on_demand import OnDemandJsonSchema
from runner.profile.descriptions import describe
from runner.settings.profile import Profile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FILE_TEXT = {
    "type": "object",
    "title": "FileText",
    "description": "A text in a file; a relative path starts at the profile.",
    "properties": {"file": {"type": "string", "minLength": 1}},
    "required": ["file"],
    "additionalProperties": False,
}


def author_schema() -> dict[str, Any]:
    """What one file may say: only tables in arrays must be whole, since parents, variables and flags say the rest."""
    schema = _schema()
    for table in _mergeable(schema):
        table.pop("required", None)
        if "oneOf" in table:  # without its `kind`, which the parent says, a table fits several
            table["anyOf"] = table.pop("oneOf")
            table.pop("discriminator", None)
    for name in ("RealtimeSettings", "LiveSettings", "Backend"):
        instructions = schema["$defs"][name]["properties"]["instructions"]
        instructions.pop("type")
        instructions["anyOf"] = [{"type": "string"}, dict(_FILE_TEXT)]
    schema["title"] = "rt-run profile"
    return schema


def effective_schema() -> dict[str, Any]:
    """What a whole profile says once parents, environment, flags and defaults are in place."""
    schema = _schema()
    schema["title"] = "rt-run effective profile"
    return schema


def schema_text(*, effective: bool) -> str:
    """One of the schemas as it is committed."""
    return _text(effective_schema() if effective else author_schema())


def file_schema_text(model: type[BaseModel], title: str) -> str:
    """The schema of another TOML file than a profile, as it is committed."""
    return _text(_schema(model) | {"title": title})


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _schema(model: type[BaseModel] = Profile) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=OnDemandJsonSchema)
    describe(schema, model)
    for table in _tables(schema):
        _drop_null(table)
    return {"$schema": _DIALECT, **schema}


def _drop_null(table: dict[str, Any]) -> None:
    """TOML has no null: what may be absent is just not required."""
    if "default" in table:
        default = _without_null(table.pop("default"))
        table.update({} if default is None else {"default": default})
    for word in ("anyOf", "oneOf"):
        if word in table:
            table[word] = [each for each in table[word] if each != {"type": "null"}]
            if len(table[word]) == 1:
                (only,) = table.pop(word)
                for name, value in only.items():
                    table.setdefault(name, value)


def _without_null(value: Any) -> Any:
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _mergeable(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every schema object of what merges with a parent's: not the tables in arrays, which replace."""
    found: list[dict[str, Any]] = []
    names: set[str] = set()
    waiting = [schema]
    while waiting:
        tables = _tables(waiting.pop(), skipped=("items", "$defs"))
        found += tables
        named = [str(table["$ref"]).rpartition("/")[2] for table in tables if "$ref" in table]
        waiting += [schema["$defs"][name] for name in dict.fromkeys(named) if name not in names]
        names.update(named)
    return found


def _tables(schema: Any, *, skipped: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Every schema object within a schema, inner ones first; `properties` and `$defs` hold names, not keywords."""
    found: list[dict[str, Any]] = []
    if isinstance(schema, list):
        return [table for each in schema for table in _tables(each, skipped=skipped)]
    if not isinstance(schema, dict):
        return found
    for word, value in schema.items():
        if word in skipped:
            continue
        if word in ("properties", "$defs", "patternProperties"):
            found.extend(table for each in value.values() for table in _tables(each, skipped=skipped))
        elif word in ("anyOf", "oneOf", "allOf", "items", "additionalProperties"):
            found.extend(_tables(value, skipped=skipped))
    return [*found, schema]
