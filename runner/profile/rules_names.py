"""Rules about what nobody sees in a value: it came along when the value was copied; `rules.py` has their codes."""

import unicodedata
from collections.abc import Iterator

from runner.profile.keys import leaves
from runner.profile.tables import Finding, Tables

_FREE_TEXTS = frozenset(
    {
        "command",  # whose arguments may be a program
        "description",
        "extra",
        "headers",  # which have a rule of their own
        "instructions",
        "keywords",
        "match",
        "metadata",
        "parameters",
        "prompt",
        "query",
        "reply",
        "server_description",
        "variables",
        "workflow_name",
    }
)
_NAMES = frozenset({"name", "model", "voice", "id", "language", "env", "credential", "call_id"})
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "\u2018": "\u2019", "«": "»", "„": "“"}
_ASCII = {"\t": "tab", "\n": "line break", "\r": "carriage return", "\x00": "NUL", "\x1b": "escape", " ": "space"}


def odd_character(tables: Tables) -> Iterator[Finding]:
    """A name, an address or a path with an invisible character, a space at one of its ends, or quotes around it."""
    for key, value in leaves(tables.tree):
        if isinstance(value, str) and value and not _FREE_TEXTS.intersection(key):
            problem, hint = _oddity(value, is_name=key[-1] in _NAMES)
            if problem:
                yield key, problem, hint, "value"


def _oddity(text: str, *, is_name: bool) -> tuple[str, str]:
    """What is odd in a text, such as `ends with a carriage return`, and a hint; two empty texts where nothing is."""
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return "has quotes around it that are a part of the value", "leave them out"
    if text[0].isspace():
        return f"begins with a {_called(text[0])}", "remove it"
    if text[-1].isspace():
        return f"ends with a {_called(text[-1])}", "remove it"
    if text.isascii() and text.isprintable() and not is_name:
        return "", ""
    odd = next((each for each in text if _is_odd(each, is_name=is_name)), "")
    return (f"holds a {_called(odd)}", "type it anew: it came along with a copy") if odd else ("", "")


def _is_odd(character: str, *, is_name: bool) -> bool:
    category = unicodedata.category(character)
    if category in {"Cc", "Cf", "Zl", "Zp"} or (category == "Zs" and character != " "):
        return True
    # What stands for a hyphen in a PDF, and quotes within.
    return is_name and ((category == "Pd" and character != "-") or character in "\"'`“”\u2018\u2019")


def _called(character: str) -> str:
    code = f"U+{ord(character):04X}"
    if character in _ASCII:
        return _ASCII[character]
    name = unicodedata.name(character, "").lower()
    return f"{name} ({code})" if name else f"control character ({code})"
