"""Tables that few profiles have: their models are imported once a profile has one.

    if TYPE_CHECKING:
        from runner.settings.journal import JournalSettings
    else:
        JournalSettings = on_demand("runner.settings.journal.JournalSettings")

A start pays a fifth of a millisecond for each model that is made, and as much for its validator.
"""

from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_MARK: Final = "rt_run_on_demand"


class OnDemand:
    """Stands in an annotation for a type that is imported when a value of it is read."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def type(self) -> Any:
        """The type itself."""
        module, _, name = self._name.rpartition(".")
        return getattr(import_module(module), name)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        lax, strict = map(core_schema.with_info_plain_validator_function, (self._validated, self._validated_strictly))
        return core_schema.lax_or_strict_schema(lax, strict, metadata={_MARK: self})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Within others it is a definition of its own, as it would be if it stood in the annotation.
        return handler(core_schema.definitions_schema(_adapter(self).core_schema, []))

    # What is wrong with a value is reported at its place in the whole.

    def _validated(self, value: Any, info: ValidationInfo) -> Any:
        return _adapter(self).validate_python(value, context=info.context)

    def _validated_strictly(self, value: Any, info: ValidationInfo) -> Any:
        return _adapter(self).validate_python(value, strict=True, context=info.context)


class OnDemandJsonSchema(GenerateJsonSchema):
    """Makes the JSON Schema that there would be if all types stood in the annotations themselves."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Give a field a title where one of the type itself would have it."""
        wanted = schema.get("metadata", {}).get(_MARK)
        return super().field_title_should_be_set(_adapter(wanted).core_schema if wanted else schema)


@cache
def on_demand(name: str) -> Any:
    """The annotation for a type that is imported on demand.

    Args:
        name: The type as `package.module.Type`.
    """
    return Annotated[Any, OnDemand(name)]


@cache
def _adapter(wanted: OnDemand) -> TypeAdapter[Any]:
    return TypeAdapter(wanted.type)
