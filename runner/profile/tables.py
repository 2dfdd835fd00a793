"""The valid tables of a profile that may be invalid elsewhere."""

from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from runner.profile.keys import Key
from runner.settings.auth import Auth
from runner.settings.endpoint import AzureEndpoint, Endpoint, OpenAIEndpoint
from runner.settings.input import Input
from runner.settings.output import OutputSettings
from runner.settings.profile import ModelSettings, Profile, SessionSettings
from runner.settings.run_settings import RunSettings

Part = Literal["key", "value", "table"]
Finding = tuple[Key, str, str, Part]
"""What breaks a rule: the key concerned, the problem, the hint, and which part of the key's place is meant."""


class Tables(NamedTuple):
    """What rules may look at: None stands for a table that is invalid or, for `model`, absent."""

    tree: dict[str, Any]
    """The merged profile before validation."""
    invalid: frozenset[str]
    """The tables that are invalid."""
    endpoint: Endpoint | None = None
    auth: Auth | None = None
    model: ModelSettings | None = None
    session: SessionSettings | None = None
    input: Input | None = None
    outputs: list[OutputSettings] | None = None
    run: RunSettings | None = None


NAMES = ("endpoint", "auth", "model", "session", "input", "outputs", "run")


@cache
def _validator(name: str) -> TypeAdapter[Any]:
    field = Profile.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


def valid_tables(profile: Profile | None, tree: dict[str, Any], invalid: frozenset[str]) -> Tables:
    """The tables of a valid profile, or those tables of an invalid one that are valid by themselves."""
    if profile is not None:
        return Tables(tree, invalid, **{name: getattr(profile, name) for name in NAMES})
    found: dict[str, Any] = {}
    for name in NAMES:
        field = Profile.model_fields[name]
        if name not in tree:
            found[name] = (
                None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
            )
        elif name not in invalid:
            try:
                found[name] = _validator(name).validate_python(tree[name])
            except ValidationError:
                invalid = invalid | {name}
    return Tables(tree, invalid, **found)


def speaks_preview(tables: Tables) -> bool:
    """Whether the endpoint speaks the preview protocol."""
    return isinstance(tables.endpoint, AzureEndpoint) and tables.endpoint.speaks_preview


def is_hosted(tables: Tables) -> bool:
    """Whether the endpoint is OpenAI's or Azure's."""
    return isinstance(tables.endpoint, OpenAIEndpoint | AzureEndpoint)
