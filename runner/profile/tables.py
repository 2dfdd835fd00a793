"""The valid tables of a profile that may be invalid elsewhere."""

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from runner.profile.keys import Key, at
from runner.settings.auth import Auth
from runner.settings.endpoint import AzureEndpoint, Endpoint, OpenAIEndpoint
from runner.settings.input import Input
from runner.settings.output import OutputSection, OutputSettings
from runner.settings.profile import ModelSettings, Profile, SessionSettings
from runner.settings.run_settings import RunSettings
from runner.settings.variable import Variable

if TYPE_CHECKING:
    from runner.settings.batch_settings import BatchSettings
    from runner.settings.greeting import Greeting
    from runner.settings.idle import Idle
    from runner.settings.report_settings import ReportSettings

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
    """One that is wrong in itself is a `BrokenOutput` here, which has its place and nothing else."""
    run: RunSettings | None = None
    variables: dict[str, Variable] | None = None
    greeting: "Greeting | None" = None
    idle: "Idle | None" = None
    report: "ReportSettings | None" = None
    batch: "BatchSettings | None" = None


NAMES = (
    "endpoint",
    "auth",
    "model",
    "session",
    "input",
    "outputs",
    "run",
    "variables",
    "greeting",
    "idle",
    "report",
    "batch",
)


class BrokenOutput(OutputSection):
    """An output that is wrong in itself: rules about several outputs pass it by."""

    kind: str = ""


@cache
def _validator(name: str) -> TypeAdapter[Any]:
    field = Profile.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


@cache
def _output_validator() -> TypeAdapter[Any]:
    return TypeAdapter(OutputSettings)


def valid_tables(profile: Profile | None, tree: dict[str, Any], wrong: Collection[Key]) -> Tables:
    """The tables of a valid profile, or what is sound of those of an invalid one.

    A value that is wrong is missing there: a rule that asks for it gets an `AttributeError`.

    Args:
        profile: The profile, where it is valid.
        tree: The merged profile before validation.
        wrong: The keys of all values that are wrong, and of those that nothing takes.
    """
    if profile is not None:
        return Tables(tree, frozenset(), **{name: getattr(profile, name) for name in NAMES})
    found: dict[str, Any] = {}
    invalid = {str(key[0]) for key in wrong if len(key) == 1}
    for name in NAMES:
        field = Profile.model_fields[name]
        below = [key[1:] for key in wrong if key[0] == name and len(key) > 1]
        if name in invalid:
            continue
        if name not in tree:
            found[name] = (
                None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
            )
        elif name == "outputs" and isinstance(tree[name], list):
            found[name] = _sound_outputs(tree[name], below)
        elif (table := _sound(_validator(name), tree[name], below)) is not None:
            found[name] = table
        else:
            invalid.add(name)
    return Tables(tree, frozenset(invalid), **found)


def _sound_outputs(values: list[Any], wrong: list[Key]) -> list[Any]:
    below: dict[Any, list[Key]] = {}
    for key in wrong:
        below.setdefault(key[0], []).append(key[1:])
    return [
        _sound(_output_validator(), value, below.get(index, [])) or BrokenOutput() for index, value in enumerate(values)
    ]


def _sound(validator: TypeAdapter[Any], value: Any, wrong: list[Key]) -> Any:
    """The table without the values that are wrong; None where it is none then."""
    keys = [_removable(key) for key in wrong]
    is_absent = [at(value, key) is None for key in keys]
    table = None
    while table is None:
        if () in keys:
            return None
        try:
            table = validator.validate_python(_without(value, keys))
        except ValidationError:
            if not any(is_absent):
                return None
            # A table that lacks something goes as a whole.
            keys = [key[:-1] if absent else key for key, absent in zip(keys, is_absent, strict=True)]
    for key in keys:
        owner = table
        for part in key[:-1]:
            owner = getattr(owner, str(part), None)
        if isinstance(owner, BaseModel):
            vars(owner).pop(str(key[-1]), None)
    return table


def _removable(key: Key) -> Key:
    """The key that goes with a wrong one: arrays, and tables whose kind is wrong, go as a whole."""
    key = key[: next((place for place, part in enumerate(key) if isinstance(part, int)), None)]
    return key[:-1] if key and key[-1] in ("kind", "type") else key


def _without(tree: Any, keys: list[Key]) -> Any:
    """A copy of tables without some keys."""
    if not isinstance(tree, dict) or not keys:
        return tree
    gone = {key[0] for key in keys if len(key) == 1}
    below: dict[Any, list[Key]] = {}
    for key in keys:
        below.setdefault(key[0], []).append(key[1:])
    return {name: _without(each, below.get(name, [])) for name, each in tree.items() if name not in gone}


def speaks_preview(tables: Tables) -> bool:
    """Whether the endpoint speaks the preview protocol."""
    return isinstance(tables.endpoint, AzureEndpoint) and tables.endpoint.speaks_preview


def is_hosted(tables: Tables) -> bool:
    """Whether the endpoint is OpenAI's or Azure's."""
    return isinstance(tables.endpoint, OpenAIEndpoint | AzureEndpoint)
