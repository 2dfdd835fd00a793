"""What another provider is asked for: what the session has by now, and what the two profiles say differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.protocol.tool_place import tools_of, with_tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.protocol.json_fields import JsonObject
    from runner.session.provider import Provider


def rebased(
    wanted: JsonObject,
    before: Provider | None,
    after: Provider | None,
    earlier: tuple[JsonObject, Provider] | None = None,
) -> JsonObject:
    """The session object for another provider: what the profiles say differently there, and all else as it is wanted.

    Args:
        wanted: What is asked for by now, of the provider before.
        before: The provider before.
        after: The other one.
        earlier: What was wanted last of a provider of the other one's kind of session, and of which, where the session
            is of another kind now.
    """
    if before is None or after is None or before is after:
        return wanted
    if before.kind != after.kind:
        return _crossed(wanted, after, earlier)
    here, there = (dict(_fields(each.asked)) for each in (before, after))
    result = wanted
    for key in here.keys() - there.keys():
        result = _without(result, key)
    for key, value in there.items():
        if key not in here or here[key] != value:
            result = _with(result, key, value)
    return result


def _crossed(wanted: JsonObject, after: Provider, earlier: tuple[JsonObject, Provider] | None) -> JsonObject:
    """What a provider of another kind of session is asked for: the same words and tools, and all else as it says."""
    asked = rebased(earlier[0], earlier[1], after) if earlier else after.asked
    instructions = {"instructions": wanted["instructions"]} if "instructions" in wanted else {}
    asked = {**{name: value for name, value in asked.items() if name != "instructions"}, **instructions}
    tools = tools_of(wanted)
    return with_tools(asked, tools) if tools or tools_of(asked) else asked


def _fields(table: JsonObject, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every field of a session object that is no object itself."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _fields(value, (*key, name))
        else:
            yield (*key, name), value


def _with(table: JsonObject, key: tuple[str, ...], value: object) -> JsonObject:
    name, below, inner = key[0], key[1:], table.get(key[0])
    return {**table, name: _with(inner if isinstance(inner, dict) else {}, below, value) if below else value}


def _without(table: JsonObject, key: tuple[str, ...]) -> JsonObject:
    """The object without a field, and without the objects that held nothing else."""
    name, below, inner = key[0], key[1:], table.get(key[0])
    if not below:
        return {each: value for each, value in table.items() if each != name}
    if not isinstance(inner, dict):
        return table
    rest = _without(inner, below)
    return {**_without(table, (name,)), **({name: rest} if rest else {})}
