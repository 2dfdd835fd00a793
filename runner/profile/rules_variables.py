"""Rules about variables and the texts and paths that use them; `rules.py` has their codes."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner.profile.filling import NAMED, TEXTS, texts_of
from runner.profile.keys import Key, at
from runner.profile.suggestion import nearest
from runner.profile.tables import Finding, Tables
from runner.settings.output import PLACEHOLDERS, placeholders_in
from runner.settings.variable import BUILT_IN


def variable_name(tables: Tables) -> Iterator[Finding]:
    """A variable with a name that texts or paths have already."""
    for name in _declared(tables):
        if name in BUILT_IN or name in PLACEHOLDERS:
            yield ("variables", name), f"{name} means something already", "choose another name", "key"


def variable_value(tables: Tables) -> Iterator[Finding]:
    """A value that the variable's own pattern or bounds refuse, or bounds that refuse every value."""
    for name, each in (tables.variables or {}).items():
        if each.min_length > each.max_length:
            problem = f"no value fits: it is more than max_length, {each.max_length}"
            yield ("variables", name, "min_length"), problem, "", "value"
        elif each.misfit:
            yield ("variables", name, "default"), each.misfit, each.description, "value"


def variable_undeclared(tables: Tables) -> Iterator[Finding]:
    """A name in double braces that no variable has."""
    names = [*_declared(tables), *BUILT_IN]
    for pattern in TEXTS:
        for key, text in texts_of(tables.tree, pattern):
            for name in dict.fromkeys(NAMED.findall(text)):
                if name not in names:
                    near = nearest(name, names)
                    hint = f"did you mean {{{{{near[0]}}}}}?" if near else "declare it in [variables]"
                    yield key, f"there is no variable {name[:64]}", hint, "value"


def unknown_placeholder(tables: Tables) -> Iterator[Finding]:
    """A name in the braces of a path that nothing has, or whose value belongs into no file's name."""
    declared = _declared(tables)
    names = [*declared, *PLACEHOLDERS]
    for key in paths_of(tables):
        path = at(tables.tree, key)
        try:
            used = placeholders_in(path) if isinstance(path, str) else []
        except ValueError:
            continue
        for name in dict.fromkeys(used):
            variable = declared.get(name)
            if name not in names:
                near = nearest(name, names)
                there = ", ".join(f"{{{each}}}" for each in sorted(names))
                hint = f"did you mean {{{near[0]}}}?" if near else f"there are {there}"
                yield key, f"there is no placeholder {{{name[:64]}}}", hint, "value"
            elif isinstance(variable, Mapping) and variable.get("secret") is True:
                yield key, f"the variable {name} is secret, and a path is not", "use another variable", "value"


def paths_of(tables: Tables) -> list[Key]:
    """The keys of all files that a session writes."""
    outputs: list[Key] = [("outputs", index, "path") for index in range(len(tables.outputs or ()))]
    return [*outputs, ("journal", "path"), ("report", "path"), ("run", "resume", "path")]


def _declared(tables: Tables) -> Mapping[str, Any]:
    declared = tables.tree.get("variables")
    return declared if isinstance(declared, Mapping) else {}
