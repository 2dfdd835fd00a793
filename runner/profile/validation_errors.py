"""What pydantic says about a profile, in the words and with the places of its author."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from runner.profile.keys import Key, at, dotted
from runner.profile.merge import Owners
from runner.profile.model_keys import ROOT, Slot, all_keys, slot_at
from runner.profile.problems import Problem, problem_at

_FIRST_STEPS: dict[Key, str] = {
    ("version",): "write `version = 1`",
    ("endpoint",): 'add a table [endpoint] with kind = "openai", "azure", "custom" or "local"',
}


def refusals(error: ValidationError, tree: dict[str, Any], owners: Owners) -> list[tuple[Key, Problem]]:
    """One problem for each key that the schema refuses."""
    found: dict[Key, list[tuple[str, str, str, str]]] = {}
    for each in error.errors(include_url=False, include_input=False):
        key = key_of(each["loc"], tree)
        for at_key, part, code, problem, hint in _explained(each, key, tree):
            found.setdefault(at_key, []).append((part, code, problem, hint))
    problems: list[tuple[Key, Problem]] = []
    for key, entries in found.items():
        deeper = any(len(each) > len(key) and each[: len(key)] == key for each in found)
        if deeper and isinstance(at(tree, key), dict) and entries[0][1] == "invalid-value":
            continue  # another alternative of a union, which the author did not mean
        part, code, _, hint = entries[0]
        problem = " or ".join(dict.fromkeys(problem for _, _, problem, _ in entries)).replace(" or must be", " or")
        problems.append((key, _placed(key, part, code, problem, hint, owners)))
    return problems


def unknown_key(key: Key, tree: dict[str, Any], owners: Owners) -> Problem:
    """The problem of a key that its table does not take."""
    return _placed(key, "key", "unknown-key", "unknown key", _meant(key, tree), owners)


def key_of(location: tuple[str | int, ...], tree: dict[str, Any]) -> Key:
    """The key that an error's location means: without the labels that pydantic adds for unions."""
    slot: Slot | None = ROOT
    key: Key = ()
    for part in location:
        if slot and slot.labelled and not slot.settled:
            slot = slot.labelled_as(str(part))
            slot = Slot(slot.alternatives, settled=True)
            continue
        if part == "[key]":
            continue
        below = at(tree, key)
        known = slot.child(part) if slot else None
        present = isinstance(below, dict) and part in below
        if (slot is None or slot.open) and not present and not (isinstance(below, list) and isinstance(part, int)):
            break
        key, slot = (*key, part), known
    return key


def _explained(each: Any, key: Key, tree: dict[str, Any]) -> Iterator[tuple[Key, str, str, str, str]]:
    kind, context = each["type"], each.get("ctx", {})
    value = at(tree, key)
    if kind == "extra_forbidden":
        yield key, "key", "unknown-key", "unknown key", _meant(key, tree)
    elif kind == "missing":
        yield key, "table", "missing-key", "is missing", _FIRST_STEPS.get(key, "")
    elif kind == "union_tag_not_found":
        name = str(context["discriminator"]).strip("'")
        yield (*key, name), "table", "missing-key", f"is missing: {_choice(_tags(key, tree))}", ""
    elif kind == "union_tag_invalid":
        name = str(context["discriminator"]).strip("'")
        given = value.get(name) if isinstance(value, dict) else value
        here = (*key, name) if isinstance(value, dict) and name in value else key
        yield here, "value", "unknown-kind", f"must be {_choice(_tags(key, tree))}", _near(given, _tags(key, tree))
    elif kind == "session_type":
        given = value.get("type") if isinstance(value, dict) else None
        here = (*key, "type") if isinstance(value, dict) else key
        kinds = ["realtime", "transcription", "translation"]
        problem = f"must be {_choice(kinds)}" if isinstance(value, dict) else "must be a table"
        yield here, "value", "unknown-kind", problem, _near(given, kinds)
    elif kind == "secret_reference":
        hint = '{ env = "NAME" }, { file = "PATH" }, { credential = "NAME" } or { command = ["PROGRAM"] }'
        yield key, "value", "secret-reference", "a secret is a reference, never a value", hint
    elif kind == "literal_error":
        words = [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
        yield key, "value", "invalid-value", f"must be {context['expected']}".replace("'", '"'), _near(value, words)
    else:
        yield key, "value", "invalid-value", _in_our_words(each["msg"]), ""


def _in_our_words(message: str) -> str:
    text = re.sub(r"(valid )?dictionary( or (instance of \w+|object to extract fields from))?", "table", message)
    text = text.removeprefix("Value error, ").replace("a valid list", "an array").replace("be a valid ", "be a ")
    for theirs in ("Input should be", "String should", "List should", "Dictionary should", "Value should"):
        if text.startswith(theirs):
            return ("must be" if theirs.endswith("be") else "must") + text.removeprefix(theirs)
    return text[:1].lower() + text[1:]


def _tags(key: Key, tree: dict[str, Any]) -> list[str]:
    slot = slot_at(key, tree)
    return [tag for tag, kind in slot.alternatives if tag and kind in slot.models] if slot else []


def _choice(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def _near(given: Any, words: list[str]) -> str:
    near = difflib.get_close_matches(given.lower(), words, n=1) if isinstance(given, str) and len(given) < 100 else []
    return f'did you mean "{near[0]}"?' if near else ""


def _meant(key: Key, tree: dict[str, Any]) -> str:
    """A hint at the key that an unknown one was meant to be."""
    parent, name = key[:-1], str(key[-1])
    slot = slot_at(parent, tree)
    if slot is None:
        return ""
    names = slot.for_value(at(tree, parent)).names()
    if len(name) < 100 and (near := difflib.get_close_matches(name, names, n=1)):
        return f"did you mean {near[0]}?"
    others = [tag for tag, model in slot.alternatives if tag and name in getattr(model, "model_fields", {})]
    if others:
        return f"only {_choice(others)} takes it"
    homes = [each[:-1] for each in all_keys() if each[-1] == name and each[:-1] != parent]
    if len(homes) == 1:
        return f"it belongs in [{dotted(homes[0])}]" if homes[0] else "it belongs at the top, before all tables"
    return f"there are {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _placed(key: Key, part: str, code: str, problem: str, hint: str, owners: Owners) -> Problem:
    nearest = key
    while nearest not in owners:
        nearest = nearest[:-1]
    layer = owners[nearest]
    if part == "table" and nearest != key:
        return problem_at(layer.place(nearest, "table"), key, problem, hint, code=code)
    return problem_at(layer.place(key, "key" if part == "key" else "value"), key, problem, hint, code=code)
