"""Paths and texts that a profile refers to, resolved from the folder of the file that says them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.profile.keys import Key, at
from runner.profile.layers import Layer
from runner.profile.problems import Problem, problem_at
from runner.profile.read import read_text

_PATHS: tuple[Key, ...] = (
    ("endpoint", "ca_file"),
    ("endpoint", "client_certificate", "file"),
    ("endpoint", "client_certificate", "key_file"),
    ("auth", "certificate_file"),
    ("auth", "api_key", "file"),
    ("auth", "client_secret", "file"),
    ("endpoint", "brain", "gguf"),
    ("input", "path"),
)
_TEXTS: tuple[Key, ...] = (("session", "instructions"),)


def resolved(layer: Layer) -> tuple[Layer, list[Problem]]:
    """The layer with absolute paths and with the texts that it refers to, and the problems of those."""
    data = layer.data
    problems: list[Problem] = []
    for key in _PATHS:
        path = at(data, key)
        if isinstance(path, str) and path and "\x00" not in path:
            data = _with(data, key, str(layer.folder / path))
        elif isinstance(path, str):
            problems.append(problem_at(layer.place(key), key, "must be a path", code="invalid-value"))
            data = _with(data, key, "/")
    for key in _TEXTS:
        reference = at(data, key)
        if isinstance(reference, dict):
            text, problem = _text(layer, key, reference)
            data = _with(data, key, text)
            problems.extend(problem)
    return replace(layer, data=data), problems


def _text(layer: Layer, key: Key, reference: dict[str, Any]) -> tuple[str, list[Problem]]:
    path = reference.get("file")
    if set(reference) != {"file"} or not isinstance(path, str) or not path or "\x00" in path:
        wrong = next((name for name in reference if name != "file"), None)
        place = layer.place((*key, wrong), "key") if wrong else layer.place(key)
        problem = "must be a text, or a file to read it from"
        return "", [problem_at(place, key, problem, f'{key[-1]} = {{ file = "…" }}', code="file-reference")]
    try:
        return read_text(layer.folder / path), []
    except ValueError as error:
        place = layer.place((*key, "file"))
        problem = f"the file {_named(layer.folder / path)} {error}"
        hint = "a relative path starts at the profile that says it"
        return "", [problem_at(place, (*key, "file"), problem, hint, code="file-reference")]


def _named(path: Path) -> str:
    return repr(str(path)) if len(str(path)) < 500 else repr(f"{str(path)[:60]}…")


def _with(data: dict[str, Any], key: Key, value: Any) -> dict[str, Any]:
    name = str(key[0])
    inner = value if len(key) == 1 else _with(data[name], key[1:], value)
    return {**data, name: inner}
