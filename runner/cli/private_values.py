"""The values that a command never shows, whatever they are called: of headers, and of parameters in a query."""

from typing import Any

Key = tuple[str | int, ...]


def masked(tree: Any, key: Key = ()) -> Any:
    """A copy of tables and arrays without private values.

    Args:
        tree: Some of a profile, or of an event that is made from one.
        key: Where in the profile it stands.
    """
    if isinstance(tree, dict):
        return {name: masked(value, (*key, name)) for name, value in tree.items()}
    if isinstance(tree, list):
        return [masked(value, (*key, index)) for index, value in enumerate(tree)]
    return _shown(key, tree)


def _shown(key: Key, value: Any) -> Any:
    from runner.redaction import MASK
    from runner.settings.endpoint import OPEN_PARAMETERS

    if value is None:
        return None
    if key[-2:-1] in (("headers",), ("env",)) or key[-1] == "authorization":
        return MASK
    if key[:2] == ("endpoint", "query"):
        return value if key[-1] in OPEN_PARAMETERS else MASK
    if key[-1] in ("url", "server_url") and isinstance(value, str) and "?" in value:
        return f"{value.partition('?')[0]}?{MASK}"
    return value
