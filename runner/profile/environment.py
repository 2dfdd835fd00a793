"""The profile's settings in `RT_RUN_…__…` environment variables, read as pydantic-settings reads them."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from runner.profile.faults import Fault
from runner.profile.fields import all_keys, slot_at
from runner.profile.keys import Key, at, redacted
from runner.profile.layers import Layer
from runner.profile.literals import literal, typed
from runner.profile.locate import DIRECTORY_VARIABLE
from runner.settings.profile import Profile

PREFIX = "RT_RUN_"
DELIMITER = "__"


class ProfileEnvironment(EnvSettingsSource):
    """One variable as pydantic-settings nests it, with TOML literals besides JSON.

    Args:
        name: The variable.
        value: What it holds.
    """

    def __init__(self, name: str, value: str) -> None:
        self._variable = {name.lower(): value}
        super().__init__(Profile, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter=DELIMITER)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variable

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read an array or a table; what is neither stays a text, for the schema to refuse in its own words."""
        try:
            return literal(value)
        except ValueError:
            return value


def environment_layer(environ: Mapping[str, str]) -> tuple[Layer, list[Fault]]:
    """What the environment says, and a warning for each variable that means no setting."""
    data: dict[str, Any] = {}
    names: dict[tuple[str, ...], str] = {}
    warnings: list[Fault] = []
    ours = (name for name in environ if name.startswith(PREFIX) and name != DIRECTORY_VARIABLE)
    for name in sorted(ours, key=lambda each: (each.count(DELIMITER), each)):
        key = tuple(name.removeprefix(PREFIX).lower().split(DELIMITER))
        slot = slot_at(key)
        if slot is None or key == ("extends",):
            warnings.append(_ignored(name, key))
            continue
        value = at(ProfileEnvironment(name, environ[name])(), key)
        if isinstance(value, str) or value is None:
            value = typed(environ[name], slot, quotes=False)
        if place(data, key, value):
            names[key] = name
        else:
            warnings.append(Fault(name, 0, 0, "", "contradicts another variable and is ignored", code="environment"))
    return Layer("environment", data, Path.cwd(), names=names), warnings


def place(data: dict[str, Any], key: tuple[str, ...], value: Any) -> bool:
    """Put a value into a tree of tables; False where something other than a table is in the way."""
    table: Any = data
    for part in key[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return False
    table[key[-1]] = value
    return True


def _ignored(name: str, key: Key) -> Fault:
    if key == ("extends",):
        return Fault(name, 0, 0, "", "a parent can only be named in a file; ignored", code="environment")
    names = [*(DELIMITER.join(map(str, each)).upper() for each in all_keys()), DIRECTORY_VARIABLE.removeprefix(PREFIX)]
    near = difflib.get_close_matches(name.removeprefix(PREFIX)[:100], names, n=1, cutoff=0.7)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "`rt-run show NAME` lists the settings"
    return Fault(redacted(name), 0, 0, "", "no setting has this name; ignored", hint, code="unknown-variable")
