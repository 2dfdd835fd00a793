"""The arguments of a call, judged by the schema of its tool."""

from typing import Any

import pytest

from runner.tools.call_arguments import ArgumentSchema, UnfitArguments

TREE = {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}}}


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({}, '{"a": 1}', ""),
        ({"required": ["a"]}, "  ", "- 'a' is a required property"),
        ({"properties": {"a": {"items": {"type": "string"}}}}, '{"a": ["x", 1]}', "- a[1]: 1 is not of type 'string'"),
        ({**TREE, "$ref": "#/$defs/node"}, '{"next": {"next": {"n": "x"}}}', "- next.next.n: 'x' is not of type"),
        ({"$ref": "#"}, "{}", "- they are nested too deeply, or the schema refers to itself"),
        ({"$ref": "#/$defs/none"}, "{}", "- the schema refers to /$defs/none, which is not in it"),
        ({"$ref": "https://example.com/schema.json"}, "{}", "- the schema refers to https://example.com/schema.json"),
        ({"$ref": "file:///etc/passwd"}, "{}", "- the schema refers to file:///etc/passwd, which is not in it"),
        ({"properties": {"a": {"multipleOf": 0.01}}}, '{"a": 1' + "0" * 400 + "}", "- they cannot be judged:"),
        ({"properties": {"a": {"uniqueItems": True}}}, '{"a": [1, {"b": [1]}, "1", true]}', ""),
        ({"properties": {"a": {"uniqueItems": True}}}, '{"a": [{"b": [1]}, {"b": [1.0]}]}', "- a: the elements"),
        ({"properties": {"a": {"type": "integer", "title": "A"}, "b": {"type": "string", "maxLength": 1}}},
         '{"a": 1.0, "b": "yes"}', "- b: 'yes' is too long"),
        ({"properties": {"a": {"type": "integer", "title": "A"}}}, '{"a": 1.5}', "- a: 1.5 is not of type 'integer'"),
        ({"properties": {"a": {"type": ["null", "string"]}, "b": False}}, '{"a": null, "b": 1}', "- False schema"),
        ({"properties": {"a": {"type": "text"}}}, '{"a": ""}', "- they cannot be judged: Unknown type 'text'"),
        ({"maxProperties": 0}, '{"a": "' + "x" * 5000 + '"}', "…"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"maximum": 1,
          "exclusiveMaximum": True}}}, '{"a": 1}', "- a: 1 is greater than or equal to the maximum of 1"),
    ],
)  # fmt: skip
def test_a_schema_judges_arguments_in_words(schema: dict[str, Any], text: str, said: str) -> None:
    """In bounds, in the dialect that it names, and without fetching anything."""
    try:
        ArgumentSchema(schema).read(text)
        told = ""
    except UnfitArguments as error:
        told = str(error)

    assert bool(told) == bool(said)
    assert said in told
    assert len(told) < 500


def test_many_elements_are_judged_at_once() -> None:
    """An array that a model makes long holds up no session."""
    text = '{"a": [' + ",".join(f'{{"i": {index}}}' for index in range(10_000)) + "]}"

    assert len(ArgumentSchema({"properties": {"a": {"uniqueItems": True}}}).read(text)["a"]) == 10_000


def test_no_more_than_five_problems_are_reported() -> None:
    """A model that is all wrong reads enough."""
    names = [f"n{index}" for index in range(50)]
    with pytest.raises(UnfitArguments) as caught:
        ArgumentSchema({"required": names}).read("{}")

    assert len(str(caught.value).splitlines()) == 6
