"""The shape of a profile: which keys each table takes, read from the models."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, HttpUrl, Tag
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from runner.api.api_object import NoneInSchema
from runner.api.on_demand import OnDemand
from runner.profile.keys import Key
from runner.settings.profile import Profile

_TEXT = (str, Path, HttpUrl)


class Slot(NamedTuple):
    """What may stand in one place of a profile: one or more alternatives, each with its discriminator's tag."""

    offered: tuple[tuple[str, Any], ...]
    """The alternatives; one that is imported on demand may stand for itself."""
    settled: bool = False
    """Whether pydantic has already named the alternative that it means."""
    clearable: bool = False
    """Whether `"none"` may stand here instead, for the API's null."""

    @property
    def alternatives(self) -> tuple[tuple[str, Any], ...]:
        """The alternatives as types."""
        return tuple((tag, kind.type if isinstance(kind, OnDemand) else kind) for tag, kind in self.offered)

    @property
    def models(self) -> tuple[type[BaseModel], ...]:
        """The tables that may stand here."""
        return tuple(kind for _, kind in self.alternatives if _is_model(kind))

    @property
    def labelled(self) -> bool:
        """Whether pydantic names the alternative in the location of an error."""
        return len(self.alternatives) > 1

    @property
    def only_text(self) -> bool:
        """Whether every alternative is a string."""
        return all(
            kind in _TEXT
            or (typing.get_origin(kind) is Literal and all(isinstance(word, str) for word in typing.get_args(kind)))
            for _, kind in self.alternatives
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The words that may stand here, where only certain ones may."""
        words = (typing.get_args(kind) for _, kind in self.alternatives if typing.get_origin(kind) is Literal)
        return tuple(word for each in words for word in each if isinstance(word, str))

    @property
    def open(self) -> bool:
        """Whether anything may stand here."""
        return any(kind is Any for _, kind in self.alternatives)

    def for_value(self, value: Any) -> "Slot":
        """The alternatives that a table means, going by its `kind`, `type` or, for secrets, its only key."""
        if not isinstance(value, Mapping):
            return self
        meant = tuple((tag, kind) for tag, kind in self.offered if _fits(tag, kind, value))
        return Slot(meant) if meant else self

    def labelled_as(self, label: str) -> "Slot":
        """The alternatives that pydantic means by a label."""
        meant = tuple(each for each in self.alternatives if label in (each[0], getattr(each[1], "__name__", "")))
        return Slot(meant) if meant else self

    def child(self, part: str | int) -> "Slot | None":
        """What may stand under a key, or at a position, of what stands here; None where nothing may."""
        return _below(self, part if isinstance(part, str) else 0)

    def names(self) -> list[str]:
        """The keys that the tables here take."""
        return list(dict.fromkeys(name for model in self.models for name in model.model_fields))


def slot(annotation: Any, metadata: Sequence[Any] = ()) -> Slot:
    """The slot of a type annotation, with unions, aliases and `Annotated` taken apart."""
    kinds = _alternatives(annotation, next((each.tag for each in metadata if isinstance(each, Tag)), ""))
    return Slot(tuple(kinds), clearable=any(isinstance(each, NoneInSchema) for each in metadata))


ROOT = Slot((("", Profile),))


def slot_at(key: Key, tree: Any = None) -> Slot | None:
    """What may stand at a key, with the alternatives that a tree's own tables mean; None where nothing may."""
    here: Slot | None = ROOT
    for part in key:
        if here is None:
            return None
        here = here.for_value(tree).child(part)
        inside = isinstance(tree, Mapping) or (isinstance(tree, list) and isinstance(part, int) and part < len(tree))
        tree = (tree.get(part) if isinstance(tree, Mapping) else tree[part]) if inside else None
    return here


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key that a profile may have in tables, without positions in arrays."""
    return tuple(_keys(ROOT, (), frozenset()))


def _keys(here: Slot, key: Key, seen: frozenset[type]) -> Iterator[Key]:
    for name in here.names():
        yield (*key, name)
        below = here.child(name)
        if below and not seen.intersection(below.models):
            yield from _keys(below, (*key, name), seen.union(below.models))


@lru_cache(maxsize=4096)
def _below(here: Slot, part: str | int) -> Slot | None:
    found: list[tuple[str, Any]] = []
    clearable = False
    for _, kind in here.alternatives:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            found.append(("", Any))
        elif _is_model(kind):
            if part in kind.model_fields:
                below = _field(kind, str(part))
                found.extend(below.offered)
                clearable = clearable or below.clearable
        elif origin is list and (isinstance(part, int) or part.isdecimal()):
            found.extend(slot(arguments[0]).offered)
        elif origin is dict:
            found.extend(slot(arguments[1]).offered)
    return Slot(tuple(dict.fromkeys(found)), clearable=clearable) if found else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@cache
def _field(model: type[BaseModel], name: str) -> Slot:
    field: FieldInfo = model.model_fields[name]
    return slot(field.annotation, field.metadata)


def _alternatives(annotation: Any, tag: str) -> Iterator[tuple[str, Any]]:
    origin = typing.get_origin(annotation)
    if isinstance(annotation, TypeAliasType):
        yield tag, Any  # the only alias in use is JsonValue
    elif origin is Annotated:
        kind, *metadata = typing.get_args(annotation)
        tag = next((each.tag for each in metadata if isinstance(each, Tag)), tag)
        late = next((each for each in metadata if isinstance(each, OnDemand)), None)
        if late and tag:
            yield tag, late  # a table that does not say its tag means another
        else:
            yield from _alternatives(late.type if late else kind, tag)
    elif origin is typing.Union or origin is UnionType:
        for each in typing.get_args(annotation):
            yield from _alternatives(each, tag)
    elif annotation is not NoneType:
        yield tag or _own_tag(annotation), annotation


def _own_tag(kind: Any) -> str:
    return _discriminator(kind)[1] if _is_model(kind) else ""


def _fits(tag: str, kind: Any, value: Mapping[str, Any]) -> bool:
    if isinstance(kind, OnDemand):
        return tag in (value.get("kind"), value.get("type"))
    if not _is_model(kind):
        return False
    name, own_tag, default = _discriminator(kind)
    return bool(value.get(name, default) in (tag, own_tag)) if name else tag in value


@cache
def _discriminator(model: type[BaseModel]) -> tuple[str, str, Any]:
    """The field that tells a table from others, the one word that it may have, and its default."""
    for name in ("kind", "type"):
        if field := model.model_fields.get(name):
            words = typing.get_args(field.annotation)
            return name, str(words[0]) if len(words) == 1 else "", field.get_default()
    return "", "", None
