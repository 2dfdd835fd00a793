"""One environment variable as pydantic-settings reads it; apart, because few starts have one and the import is slow."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from runner.profile.literals import literal
from runner.settings.profile import Profile


class ProfileInEnvironment(Profile, BaseSettings):  # type: ignore[misc]  # pydantic merges the two configurations
    """A profile whose values pydantic-settings can look for."""


class ProfileEnvironment(EnvSettingsSource):
    """One variable as pydantic-settings nests it, with TOML literals besides JSON.

    Args:
        name: The variable.
        value: What it holds.
        prefix: How the names of all variables begin.
        delimiter: What stands between two keys in a name.
    """

    def __init__(self, name: str, value: str, *, prefix: str, delimiter: str) -> None:
        self._variable = {name.lower(): value}
        super().__init__(ProfileInEnvironment, case_sensitive=False, env_prefix=prefix, env_nested_delimiter=delimiter)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variable

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read an array or a table; what is neither stays a text, for the schema to refuse in its own words."""
        try:
            return literal(value)
        except ValueError:
            return value
