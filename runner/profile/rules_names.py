"""Rules about what nobody sees in a value: it came along when the value was copied; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.keys import leaves
from runner.profile.odd_characters import oddity
from runner.profile.tables import Finding, Tables

_FREE_TEXTS = frozenset(
    {
        "argv",
        "command",  # whose arguments may be a program
        "description",
        "extra",
        "greeting",
        "idle",
        "headers",  # which have a rule of their own
        "instructions",
        "keywords",
        "match",
        "metadata",
        "parameters",
        "prompt",
        "query",
        "reply",
        "script",
        "say",
        "server_description",
        "variables",
        "workflow_name",
    }
)
_NAMES = frozenset({"name", "model", "voice", "id", "language", "env", "credential", "call_id"})


def odd_character(tables: Tables) -> Iterator[Finding]:
    """A name, an address or a path with an invisible character, a space at one of its ends, or quotes around it."""
    for key, value in leaves(tables.tree):
        is_free = bool(_FREE_TEXTS.intersection(key)) or key[-2:-1] == ("env",)
        if isinstance(value, str) and value and not is_free:
            problem, hint = oddity(value, is_name=key[-1] in _NAMES)
            if problem:
                yield key, problem, hint, "value"
