"""Keys of a profile: paths through its tables and arrays, and how people write them."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import tomli

from runner.redaction import MASK

Key = tuple[str | int, ...]
"""The way from the top of a profile to a value: names of tables and keys, and positions in arrays."""

DEPTH_LIMIT = 64
"""How deep tables and arrays may nest; nothing that a profile can say needs more."""

_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:sk|ek)[-_][A-Za-z0-9_-]{6,}"
    r"|[A-Za-z0-9_.~]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34}"  # a client secret of Entra ID
    # A word is looked through only if a dot follows it: the time stays linear in the length of the text.
    r"|(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]{13,}\.)[A-Za-z0-9_-]*?eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]*"
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_SHORTEST_KEY = 20
_FEWEST_TURNS = 4
"""So often a key of random characters goes from letters to digits or back; a name with a year or a number does not."""


def dotted(key: Key) -> str:
    """The key as TOML writes it, such as `endpoint.headers."X-Team.Id"`, with `…` for what looks like a secret."""
    parts = []
    for part in key:
        text = redacted(str(part))
        shown = text if len(text) <= 64 else f"{text[:24]}…"
        parts.append(text if _BARE.fullmatch(text) else '"' + shown.encode("unicode_escape").decode() + '"')
    return ".".join(parts)


def split(text: str) -> tuple[str, ...]:
    """Read a dotted key as people type it.

    Raises:
        ValueError: The text is not one TOML key.
    """
    try:
        table: Any = tomli.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        table = None
    key: list[str] = []
    while isinstance(table, dict) and len(table) == 1:
        name, table = next(iter(table.items()))
        key.append(name)
    if table != 0 or not 0 < len(key) <= DEPTH_LIMIT:
        msg = "not a key"
        raise ValueError(msg)
    return tuple(key)


def redacted(text: str) -> str:
    """The text with everything that looks like an API key or a token masked."""
    return _SECRET.sub(MASK, text)


def looks_secret(text: str) -> bool:
    """Whether an API key or a token stands somewhere in the text."""
    return _SECRET.search(text) is not None


def is_key_shaped(text: str) -> bool:
    """Whether a text that ought to be a name has the look of an API key: one long word of letters and digits, mixed."""
    longest = max(_WORD.findall(text), key=len, default="")
    turns = sum(before.isdigit() != after.isdigit() for before, after in pairwise(longest))
    is_mixed = len(longest) >= _SHORTEST_KEY and turns >= _FEWEST_TURNS
    return (is_mixed and "/" not in text and len(longest) * 4 >= len(text) * 3) or looks_secret(text)


def leaves(tree: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value below a key that is neither a table nor an array; empty tables and arrays count as values."""
    if isinstance(tree, Mapping) and tree:
        for name, value in tree.items():
            yield from leaves(value, (*key, name))
    elif isinstance(tree, list) and tree:
        for index, value in enumerate(tree):
            yield from leaves(value, (*key, index))
    else:
        yield key, tree


def at(tree: Any, key: Key) -> Any:
    """The value at a key, or None where there is none."""
    for part in key:
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


def prefixes(key: Key) -> Iterator[Key]:
    """The keys of all tables and arrays that a key is in, the outermost first, and the key itself."""
    return (key[:length] for length in range(len(key) + 1))


def depth(tree: Any) -> int:
    """How deep tables and arrays nest, found without recursion."""
    level, here = 0, [tree]
    while here:
        below: list[Any] = []
        for each in here:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        here = [each for each in below if isinstance(each, dict | list)]
        level += 1
    return level
