"""The base of every object of the API that goes onto the wire as it stands."""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from runner.api.strict import Section


class ApiObject(Section):
    """An object of the Realtime API: `model_dump(mode="json", exclude_unset=True)` is its exact JSON.

    A defaulted `type` or `role` counts as set: what tells objects apart is on the wire whether it was written or not.
    """

    def model_post_init(self, _context: Any, /) -> None:
        """Mark the discriminators as given."""
        self.__pydantic_fields_set__.update({"type", "role"} & type(self).model_fields.keys())


def _word_none(value: Any, info: ValidationInfo) -> Any:
    return None if value == "none" and not (info.context or {}).get("wire") else value


class NoneInSchema:
    """Marks a field that `"none"` clears, in its annotation and in the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"const": "none", "type": "string"}]}


T = TypeVar("T")
Clearable = Annotated[T | None, BeforeValidator(_word_none), NoneInSchema()]
"""Cleared by null; a profile, having no null, says "none", which the validation context `{"wire": True}` forbids."""
