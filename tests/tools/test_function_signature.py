"""A function's signature and docstring as the model is told of them."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from runner.errors import ProfileError
from runner.tools.call_arguments import UnfitArguments
from runner.tools.function_signature import FunctionSignature


class Address(BaseModel):
    """Where to."""

    street: str


def order(  # noqa: D417  # a docstring need not say all
    item: Literal["tea", "coffee"],
    to: Address,
    count: Annotated[int, Field(ge=1)] = 1,
    note: str | None = None,
    schema: Any = object(),  # noqa: B008  # a default that is no JSON, of a name that pydantic's models have taken
) -> None:
    """Order something.

    It comes today.

    Args:
        item: What,
            by its name.
        count (int): How many: one or more.

    Returns:
        item: no parameter.
    """


def test_signature_and_docstring_make_the_schema() -> None:
    """Types, defaults and descriptions are there; no titles that only repeat the names."""
    signature = FunctionSignature(order, "order")

    assert signature.description == "Order something.\n\nIt comes today."
    assert signature.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["item", "to"],
        "$defs": {
            "Address": {
                "description": "Where to.",
                "properties": {"street": {"type": "string"}},
                "required": ["street"],
                "title": "Address",
                "type": "object",
            }
        },
        "properties": {
            "item": {"enum": ["tea", "coffee"], "type": "string", "description": "What, by its name."},
            "to": {"$ref": "#/$defs/Address"},
            "count": {"type": "integer", "minimum": 1, "default": 1, "description": "How many: one or more."},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "schema": {},
        },
    }


def test_arguments_become_what_the_annotations_ask_for() -> None:
    """What is left out is left to the function's own defaults."""
    signature = FunctionSignature(order, "order")

    assert signature.bound({"item": "tea", "to": {"street": "x"}}) == {"item": "tea", "to": Address(street="x")}
    with pytest.raises(UnfitArguments, match=r"- to\.street: Field required"):
        signature.bound({"item": "tea", "to": {}})


def test_a_function_may_take_whatever_comes() -> None:
    """Named arguments that it does not know by name are passed on."""

    def anything(**others: int) -> None:
        """Take them."""

    signature = FunctionSignature(anything, "anything")

    assert signature.parameters["additionalProperties"] is True
    assert signature.bound({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("function", "reason"),
    [(lambda *all_of_them: 0, "all_of_them cannot be given by name"), (lambda x, /: x, "x cannot be given by name")],
)
def test_what_json_cannot_name_is_refused(function: Any, reason: str) -> None:
    """With the reason."""
    with pytest.raises(ProfileError, match=f"the signature of it does not make a schema: {reason}"):
        FunctionSignature(function, "it")
