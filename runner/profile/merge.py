"""Laying one layer of a profile over another, and remembering which layer said what."""

from typing import Any

from runner.profile.keys import Key
from runner.profile.layers import Layer
from runner.settings.secret import KINDS as SECRET_KINDS

Owners = dict[Key, Layer]
"""For every table, array and value of the merged profile, the layer that said it last."""


def merged(layers: list[Layer]) -> tuple[dict[str, Any], Owners]:
    """The layers as one tree: tables merge, arrays replace, a changed `kind` or `type` replaces its table."""
    tree: dict[str, Any] = {}
    owners: Owners = {(): layers[-1]}
    for layer in layers:
        _lay(tree, layer.data, (), layer, owners)
    return tree, owners


def _lay(under: dict[str, Any], over: dict[str, Any], key: Key, layer: Layer, owners: Owners) -> None:
    for name, value in over.items():
        here = (*key, name)
        below = under.get(name)
        if isinstance(below, list) and isinstance(value, dict) and layer.kind in ("environment", "flag"):
            under[name] = below = list(below)
            _lay_elements(below, value, here, layer, owners)
            continue
        if isinstance(below, dict) and isinstance(value, dict) and not _replaces(below, value, here):
            under[name] = below = dict(below)
            owners[here] = layer
            _lay(below, value, here, layer, owners)
        else:
            under[name] = value
            _own(value, here, layer, owners)


def _lay_elements(under: list[Any], over: dict[str, Any], key: Key, layer: Layer, owners: Owners) -> None:
    for name in sorted(over, key=lambda each: (len(each), each)):
        index = int(name) if name.isdecimal() and len(name) < 6 else -1
        here = (*key, index)
        if 0 <= index < len(under) and isinstance(under[index], dict) and isinstance(over[name], dict):
            if _replaces(under[index], over[name], here):
                under[index] = over[name]
                _own(over[name], here, layer, owners)
            else:
                under[index] = dict(under[index])
                _lay(under[index], over[name], here, layer, owners)
        elif 0 <= index <= len(under):
            under[index : index + 1] = [over[name]]
            _own(over[name], here, layer, owners)
        else:
            raise IndexError((*key, name))


def _own(value: Any, key: Key, layer: Layer, owners: Owners) -> None:
    for each in [each for each in owners if len(each) > len(key) and each[: len(key)] == key]:
        del owners[each]
    _own_below(value, key, layer, owners)


def _own_below(value: Any, key: Key, layer: Layer, owners: Owners) -> None:
    owners[key] = layer
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in children:
        _own_below(each, (*key, name), layer, owners)


def _replaces(under: dict[str, Any], over: dict[str, Any], key: Key) -> bool:
    if key[0] == "auth" and len(key) > 1:
        kinds = [each for each in SECRET_KINDS if each in over]
        return bool(kinds) and not any(each in under for each in kinds)
    return any(name in under and name in over and under[name] != over[name] for name in ("kind", "type"))
