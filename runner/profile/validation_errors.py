"""What pydantic says about a profile, in the words and with the places of its author."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from pydantic import ValidationError

from runner.profile.keys import Key, at, dotted, prefixes
from runner.profile.merge import Owners
from runner.profile.model_keys import ROOT, Slot, slot_at
from runner.profile.problems import Problem, problem_at
from runner.profile.suggestion import MOST_GUESSES, choice, nearest
from runner.profile.unknown_keys import meant_by

_FIRST_STEPS: dict[Key, str] = {
    ("version",): "write `version = 1`",
    ("endpoint",): 'add a table [endpoint] with kind = "openai", "azure", "custom" or "local"',
    ("session", "delegation", "responses"): 'name the model that calls the tools: responses = { model = "gpt-5.2" }',
}
_STEPS_OF_TOOLS: dict[Key, str] = {("run",): 'say how it is run: run = { kind = "command", argv = ["PROGRAM"] }'}

_PATTERNS: dict[str | int, tuple[str, str]] = {
    "api_version": (
        "must be the date of a version, such as 2025-04-01-preview",
        "remove it: the current API takes no version, and only the deprecated preview has one",
    ),
    "env": ("must be the name of a variable", "a name has letters, digits and underscores"),
    "credential": ("must be the name of a credential", "as LoadCredential= has it, without a slash"),
    "scope": ("must be a scope", "such as https://cognitiveservices.azure.com/.default"),
    "call_id": ("must be the id of a call", "an id has letters, digits, - and _"),
    "proxy": ("must be a URL that begins with http://, https://, socks5:// or socks5h://", ""),
    "headers": ("must be the name of a header", "a name has letters, digits and -, and no spaces"),
    "name": ("must be the name of a tool", "a name has up to 64 letters, digits, - and _"),
    "function": ("must be the name of a function", "as package.module:function"),
}
"""For a key whose values have a certain form, what that is in words, and a hint."""
_SUCCESSORS: dict[Key, str] = {
    ("endpoint", "brain", "llm"): (
        "a GGUF file is served by llama-server, Ollama or LM Studio, and asked by "
        '{ kind = "chat", base_url = "http://127.0.0.1:8080/v1", model = "…" }'
    ),
}
"""For a kind that there was once, by its table and its name, what does its work now."""
_A_URL = "must be a URL that begins with https:// or wss://"
_BEGINNINGS = ("https://", "http://", "wss://", "ws://")
_LOOPBACK = "http:// and ws:// are for this machine"


def refusals(error: ValidationError, tree: dict[str, Any], owners: Owners) -> list[tuple[Key, Problem]]:
    """One problem for each key that the schema refuses."""
    found: dict[Key, list[tuple[str, str, str, str]]] = {}
    unknown = 0
    for each in error.errors(include_url=False, include_input=False):
        key = key_of(each["loc"], tree)
        unknown += each["type"] == "extra_forbidden"
        for at_key, part, code, problem, hint in _explained(each, key, tree, may_guess=unknown <= MOST_GUESSES):
            found.setdefault(at_key, []).append((part, code, problem, hint))
    above = {each for key in found for each in prefixes(key[:-1])}
    problems: list[tuple[Key, Problem]] = []
    for key, entries in found.items():
        if key in above and isinstance(at(tree, key), dict) and entries[0][1] == "invalid-value":
            continue  # another alternative of a union, which the author did not mean
        part, code, _, hint = entries[0]
        problem = " or ".join(dict.fromkeys(problem for _, _, problem, _ in entries)).replace(" or must be", " or")
        problems.append((key, _placed(key, part, code, problem, hint, owners)))
    return problems


def unknown_keys(names: list[str], tree: dict[str, Any], owners: Owners) -> list[tuple[Key, Problem]]:
    """The problem of each name at the top that a profile does not have."""
    hints = [meant_by((name,), tree) for name in names[:MOST_GUESSES]]
    return [
        ((name,), _placed((name,), "key", "unknown-key", "unknown key", hint, owners))
        for name, hint in zip_longest(names, hints, fillvalue="")
    ]


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


def _explained(
    each: Any, key: Key, tree: dict[str, Any], *, may_guess: bool
) -> Iterator[tuple[Key, str, str, str, str]]:
    kind, context = each["type"], each.get("ctx", {})
    value = at(tree, key)
    if kind == "extra_forbidden":
        yield key, "key", "unknown-key", "unknown key", meant_by(key, tree) if may_guess else ""
    elif kind == "missing":
        yield key, "table", "missing-key", "is missing", _FIRST_STEPS.get(key, _STEPS_OF_TOOLS.get(key[-1:], ""))
    elif kind == "union_tag_not_found":
        name = str(context["discriminator"]).strip("'")
        yield (*key, name), "table", "missing-key", f"is missing: {choice(_tags(key, tree))}", ""
    elif kind == "union_tag_invalid":
        name = str(context["discriminator"]).strip("'")
        given = value.get(name) if isinstance(value, dict) else value
        here = (*key, name) if isinstance(value, dict) and name in value else key
        hint = _SUCCESSORS.get((*key, given), "") if isinstance(given, str) else ""
        hint = hint or _near(given, _tags(key, tree))
        yield here, "value", "unknown-kind", f"must be {choice(_tags(key, tree))}", hint
    elif kind == "session_type":
        given = value.get("type") if isinstance(value, dict) else None
        here = (*key, "type") if isinstance(value, dict) else key
        kinds = ["realtime", "transcription", "translation", "live"]
        problem = f"must be {choice(kinds)}" if isinstance(value, dict) else "must be a table"
        yield here, "value", "unknown-kind", problem, _near(given, kinds)
    elif kind == "secret_reference":
        hint = '{ env = "NAME" }, { file = "PATH" }, { credential = "NAME" } or { command = ["PROGRAM"] }'
        yield key, "value", "secret-reference", "a secret is a reference, never a value", hint
    else:
        yield key, "value", "invalid-value", *_of_value(each, key, value, tree)


def _of_value(each: Any, key: Key, value: Any, tree: dict[str, Any]) -> tuple[str, str]:
    """Problem and hint for a value of another type or form than its place takes."""
    match each["type"]:
        case "literal_error":
            expected = str(each["ctx"]["expected"])
            words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
            is_number = isinstance(value, str) and value in words
            hint = f"write {value}, without quotes" if is_number else _near(value, words)
            if key[-1] == "approval":
                hint = hint or 'or { command = ["PROGRAM"] }, which asks a program'
            return f"must be {expected}".replace("'", '"'), hint
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a table", _as_table(key, value, tree)
        case "list_type":
            return "must be an array", _as_array(key, value, tree)
        case "url_parsing" if str(value).startswith(_BEGINNINGS):
            return f"is no URL: {each['ctx']['error']}", ""
        case "url_parsing" | "url_scheme":
            return _A_URL, _LOOPBACK
        case "string_pattern_mismatch":
            return next((_PATTERNS[name] for name in key[-2:] if name in _PATTERNS), (_in_our_words(each["msg"]), ""))
    return _in_our_words(each["msg"]), ""


def _as_table(key: Key, value: Any, tree: dict[str, Any]) -> str:
    """How to write a table where something else stands."""
    slot = slot_at(key, tree)
    if slot is None or not slot.models:
        return f"write {key[-1]} = {{ … }}"
    if slot.clearable and (value is False or value in ("off", "false", "null")):
        return 'write "none" to turn it off'
    tags = _tags(key, tree)
    given = value if value in tags else "…"
    first, field = next(iter(slot.models[0].model_fields.items()))
    inside = f'{first} = "{given}"' if field.is_required() and (below := slot.child(first)) and below.only_text else "…"
    if len(key) == 1:
        return f"write [{dotted(key)}]" + (f", and below it {inside}" if inside != "…" else "")
    return f"write {key[-1]} = {{ {inside} }}"


def _as_array(key: Key, value: Any, tree: dict[str, Any]) -> str:
    """How to write an array where one value stands."""
    slot = slot_at((*key, 0), tree)
    if slot is not None and slot.models:
        return f"write [[{dotted(key)}]]" if len(key) == 1 else f"write {key[-1]} = [{{ … }}]"
    given = value if slot is not None and value in slot.words else "…"
    return f'write {key[-1]} = ["{given}"]'


def _in_our_words(message: str) -> str:
    text = re.sub(r"(valid )?dictionary( or (instance of \w+|object to extract fields from))?", "table", message)
    text = text.replace("a valid string", "a text").replace("a valid integer", "a whole number")
    text = text.removeprefix("Value error, ").replace("a valid list", "an array").replace("be a valid ", "be a ")
    if text in ("String should have at least 1 character", "List should have at least 1 item after validation, not 0"):
        return "must not be empty"
    for theirs in ("Input should be", "String should", "List should", "Dictionary should", "Value should"):
        if text.startswith(theirs):
            return ("must be" if theirs.endswith("be") else "must") + text.removeprefix(theirs)
    return text[:1].lower() + text[1:]


def _tags(key: Key, tree: dict[str, Any]) -> list[str]:
    slot = slot_at(key, tree)
    return [tag for tag, kind in slot.alternatives if tag and kind in slot.models] if slot else []


def _near(given: Any, words: list[str]) -> str:
    near = nearest(given, words) if isinstance(given, str) else []
    return f'did you mean "{near[0]}"?' if near else ""


def _placed(key: Key, part: str, code: str, problem: str, hint: str, owners: Owners) -> Problem:
    nearest = key
    while nearest not in owners:
        nearest = nearest[:-1]
    layer = owners[nearest]
    if part == "table" and nearest != key:
        return problem_at(layer.place(nearest, "table"), key, problem, hint, code=code)
    return problem_at(layer.place(key, "key" if part == "key" else "value"), key, problem, hint, code=code)
