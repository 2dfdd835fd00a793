"""The docstrings of settings as descriptions in a JSON Schema.

pydantic can read them itself (`use_attribute_docstrings`), but does so whenever a class is made: that parses every
settings module at every start, for something that only `rt-run schema` wants.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


def describe(schema: dict[str, Any], root: type[BaseModel]) -> None:
    """Add the docstring of every setting to the schema of the model `root`, in place."""
    models = {model.__name__: model for model in _reachable(root)}
    tables = {root.__name__: schema, **schema.get("$defs", {})}
    for name, table in tables.items():
        texts = _by_alias(models[name]) if name in models else {}
        for key, setting in table.get("properties", {}).items():
            if key in texts:
                setting["description"] = texts[key]


def _reachable(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    modules = {
        name: module for name, module in sys.modules.items() if name.startswith(f"{root.__module__.split('.')[0]}.")
    }
    for module in modules.values():
        for each in vars(module).values():
            if inspect.isclass(each) and issubclass(each, BaseModel):
                yield each


def _by_alias(model: type[BaseModel]) -> dict[str, str]:
    """The texts by the names that stand in a file."""
    fields = model.model_fields
    return {(fields[name].alias if name in fields else None) or name: each for name, each in _docstrings(model).items()}


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each.__module__ in sys.modules:
            texts |= _of_module(each.__module__).get(each.__name__, {})
    return texts


@functools.cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_of_class(node)) for node in classes}


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for setting, text in zip(node.body, node.body[1:], strict=False):
        match setting, text:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(docstring))):
                yield key, inspect.cleandoc(docstring)
