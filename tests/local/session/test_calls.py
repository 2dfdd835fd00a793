"""A response calls functions as the API's do."""

import json
from typing import Any

from tests.helpers.local_client import Wire, error_of, new_session

SCRIPT = [
    {
        "match": "order (\\d+)",
        "reply": "I look.",
        "calls": [{"name": "order", "arguments": {"number": "\\1"}}, {"name": "customer"}],
    },
    {"output": "late", "calls": [{"name": "apologize", "arguments": "{"}]},
]
TOOLS = [{"type": "function", "name": "order", "parameters": {"type": "object"}}]
CALL_EVENTS = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
]


def calling_wire() -> Wire:
    """A session in text with a script that calls."""
    wire = Wire(new_session(script=SCRIPT))
    wire.update(output_modalities=["text"], tools=TOOLS)
    return wire


def answer(wire: Wire, **response: Any) -> list[dict[str, Any]]:
    """The events of a whole response."""
    return wire.send("response.create", response=response) + wire.finish()


def output(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What a response has made: the type of each item, and its text or its arguments."""
    made = next(each["response"]["output"] for each in events if each["type"] == "response.done")
    return [(item.get("name", "message"), item.get("arguments") or item["content"][0]["text"]) for item in made]


def give(wire: Wire, events: list[dict[str, Any]], *outputs: str) -> None:
    """Answer the calls of a response."""
    made = next(each["response"]["output"] for each in events if each["type"] == "response.done")
    calls = [each["call_id"] for each in made if each["type"] == "function_call"]
    for call_id, text in zip(calls, outputs, strict=True):
        item = {"type": "function_call_output", "call_id": call_id, "output": text}
        added, _done = wire.send("conversation.item.create", item=item)
        assert added["item"]["output"] == text


def test_a_script_calls_several_functions_and_goes_on_by_their_outputs() -> None:
    """A response speaks and calls, each call streams its arguments, and the outputs lead to the next calls."""
    wire = calling_wire()
    wire.say("Where is order 17?")

    events = answer(wire)

    assert output(events) == [("message", "I look."), ("order", '{"number":"17"}'), ("customer", "{}")]
    calling = [each for each in events if each.get("output_index") == 1]
    assert [each["type"] for each in calling] == [each for each in CALL_EVENTS if each.startswith("response.")]
    names = [each["type"] for each in events]
    assert names[-1 - 2 * len(CALL_EVENTS) - 1 : -2] == CALL_EVENTS * 2
    give(wire, events, "late", "Ada")
    events = answer(wire)
    assert output(events) == [("apologize", "{")]
    assert [each["item"]["type"] for each in events if each["type"] == "conversation.item.done"] == ["function_call"]
    give(wire, events, "done")
    assert output(answer(wire)) == [("message", "The function answered: done")]


def test_what_may_be_called_is_the_request_s() -> None:
    """Nothing is called where nothing may be, one function where it must; what is not offered cannot be chosen."""
    wire = calling_wire()
    wire.say("Where is order 17?")

    assert output(answer(wire, tool_choice="none")) == [("message", "I look.")]
    chosen = {"type": "function", "name": "order"}
    assert output(answer(wire, tool_choice=chosen)) == [("message", "I look."), ("order", '{"number":"17"}')]
    wire.say("Hello")
    assert output(answer(wire, tool_choice="required")) == [("order", "{}")]
    error = wire.refusal("response.create", response={"tool_choice": {"type": "function", "name": "other"}})
    assert "'other' not found" in error["message"]
    refused = wire.send("response.create", response={"tools": [], "tool_choice": "required"})
    assert error_of(refused)["param"] == "response.tool_choice"


def test_a_call_is_cut_off_by_a_limit_or_by_the_client() -> None:
    """A call that is not whole stands in the conversation as incomplete."""
    wire = calling_wire()
    wire.say("Where is order 17?")

    limited = answer(wire, max_output_tokens=3)
    started = wire.send("response.create")
    while not any(each["type"] == "response.function_call_arguments.delta" for each in started):
        started += wire.step()
    cancelled = wire.send("response.cancel")

    (stopped,) = [each["response"] for each in limited if each["type"] == "response.done"]
    assert stopped["status_details"]["reason"] == "max_output_tokens"
    assert [each["status"] for each in stopped["output"]] == ["completed", "incomplete"]
    (ended,) = [each["response"] for each in cancelled if each["type"] == "response.done"]
    assert [each["status"] for each in ended["output"]] == ["completed", "incomplete"]
    assert json.loads(ended["output"][1]["arguments"]) == {"number": "17"}
