"""Laying one layer of a profile over another, and remembering which layer said what."""

from collections.abc import Iterator
from typing import Any

from runner.profile.keys import Key, at
from runner.profile.layers import Layer
from runner.profile.live_keys import becomes_live, without_realtime_keys
from runner.settings.secret import KINDS as SECRET_KINDS

Owners = dict[Key, Layer]
"""For every table, array and value of the merged profile, the layer that said it last."""


def merged(layers: list[Layer]) -> tuple[dict[str, Any], Owners, list[tuple[Key, Layer]]]:
    """The layers as one tree: tables merge, arrays replace, a changed `kind` or `type` replaces its table.

    A realtime session that becomes a Live one keeps what both have.

    Returns:
        The tree, who said what in it, and each element that a flag or variable means and no array has.
    """
    tree: dict[str, Any] = {}
    owners: Owners = {(): layers[-1]}
    absent: list[tuple[Key, Layer]] = []
    for layer in layers:
        absent += [(key, layer) for key in _lay(tree, layer.data, (), layer, owners)]
    return tree, owners, absent


def _lay(under: dict[str, Any], over: dict[str, Any], key: Key, layer: Layer, owners: Owners) -> Iterator[Key]:
    for name, value in over.items():
        here = (*key, name)
        below = under.get(name)
        if isinstance(below, list) and isinstance(value, dict) and layer.kind in ("environment", "flag"):
            under[name] = below = list(below)
            yield from _lay_elements(below, value, here, layer, owners)
            continue
        if isinstance(below, dict) and isinstance(value, dict) and not _replaces(below, value, here):
            under[name] = below = dict(below)
            if here == ("session",) and becomes_live(below, value):
                under[name] = below = without_realtime_keys(below)
                for gone in [each for each in owners if each[:1] == here and at(below, each[1:]) is None]:
                    del owners[gone]
            owners[here] = layer
            yield from _lay(below, value, here, layer, owners)
        else:
            if isinstance(below, dict | list):
                _disown(here, owners)
            under[name] = value
            _own(value, here, layer, owners)


def _lay_elements(under: list[Any], over: dict[str, Any], key: Key, layer: Layer, owners: Owners) -> Iterator[Key]:
    for name in sorted(over, key=lambda each: (len(each), each)):
        index = int(name) if name.isdecimal() and len(name) < 6 else -1
        here = (*key, index)
        if 0 <= index < len(under) and isinstance(under[index], dict) and isinstance(over[name], dict):
            if _replaces(under[index], over[name], here):
                under[index] = over[name]
                _disown(here, owners)
                _own(over[name], here, layer, owners)
            else:
                under[index] = dict(under[index])
                yield from _lay(under[index], over[name], here, layer, owners)
        elif 0 <= index <= len(under):
            under[index : index + 1] = [over[name]]
            _disown(here, owners)
            _own(over[name], here, layer, owners)
        else:
            yield (*key, name)


def _disown(key: Key, owners: Owners) -> None:
    """Forget who said what stood below a key."""
    for each in [each for each in owners if len(each) > len(key) and each[: len(key)] == key]:
        del owners[each]


def _own(value: Any, key: Key, layer: Layer, owners: Owners) -> None:
    owners[key] = layer
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in children:
        _own(each, (*key, name), layer, owners)


def _replaces(under: dict[str, Any], over: dict[str, Any], key: Key) -> bool:
    if key[0] in ("auth", "report") and len(key) > 1:
        kinds = [each for each in SECRET_KINDS if each in over]
        return bool(kinds) and not any(each in under for each in kinds)
    if key == ("session",) and becomes_live(under, over):
        return False
    return any(name in under and name in over and under[name] != over[name] for name in ("kind", "type"))
