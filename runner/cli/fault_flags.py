"""`--fault kind=drop,after_events=5`: a fault of the local endpoint on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.settings.endpoint import LocalEndpoint

_EXAMPLE = "such as --fault kind=drop,after_events=5"


def with_faults(endpoint: LocalEndpoint, flags: Iterable[str]) -> LocalEndpoint:
    """The endpoint with the faults of the flags after its own.

    Raises:
        UsageError: A flag is not a fault; the message names the key and what may stand there.
    """
    faults = [fault for flag in flags for fault in _read(flag).faults]
    return endpoint.model_copy(update={"faults": [*endpoint.faults, *faults]})


def _read(flag: str) -> LocalEndpoint:
    """The local endpoint of a profile that says this fault and nothing else, so that profile and flag agree."""
    from pydantic import ValidationError

    from runner.profile.layers import Layer
    from runner.profile.literals import typed
    from runner.profile.model_keys import slot_at
    from runner.profile.validation_errors import refusals
    from runner.settings.profile import Profile

    fault: dict[str, Any] = {}
    tree = {"version": 1, "endpoint": {"kind": "local", "faults": [fault]}}
    pairs = dict(_pairs(flag))
    if "kind" in pairs:
        fault["kind"] = typed(pairs.pop("kind"), None, quotes=True)
    for name, text in pairs.items():
        fault[name] = typed(text, slot_at(("endpoint", "faults", 0, name), tree), quotes=True)
    try:
        endpoint: Any = Profile.model_validate(tree).endpoint
    except ValidationError as error:
        found = refusals(error, tree, {(): Layer("flag", tree, Path.cwd())})
        problems = (f"{'.'.join(map(str, key[3:]))}: {each.problem}".removeprefix(": ") for key, each in found)
        raise _wrong(flag, "; ".join(problems), hint=found[0][1].hint) from None
    return endpoint  # type: ignore[no-any-return]  # the tree says which of the endpoints it is


def _pairs(flag: str) -> Iterator[tuple[str, str]]:
    from runner.profile.literals import literal

    def is_open(value: str) -> bool:
        """Whether a value that begins as a string, an array or a table has not ended yet."""
        try:
            literal(value)
        except ValueError:
            return value.startswith(('"', "'", "[", "{"))
        return False

    seen: set[str] = set()
    parts = flag.split(",")
    while parts:
        name, equals, value = (each.strip() for each in parts.pop(0).partition("="))
        while parts and is_open(value):
            value = f"{value},{parts.pop(0)}"
        if not equals or not name:
            raise _wrong(flag, "must be KEY=VALUE,KEY=VALUE", hint=_EXAMPLE)
        if is_open(value):
            raise _wrong(flag, f"{name}: neither a TOML value nor a word", hint=_EXAMPLE)
        if name in seen:
            raise _wrong(flag, f"{name}: said twice")
        seen.add(name)
        yield name, value


def _wrong(flag: str, problem: str, *, hint: str = "") -> UsageError:
    from runner.profile.keys import redacted

    return UsageError(f"--fault {redacted(flag)[:100]}: {problem}", hint=hint)
