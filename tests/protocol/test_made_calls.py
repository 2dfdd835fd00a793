"""Which output answers which call, also where an endpoint uses ids again."""

from typing import Any

import pytest

from runner.protocol.conversation import Conversation
from runner.protocol.effects import FunctionAnswered, FunctionCalled
from runner.protocol.receive import receive
from runner.protocol.state import SessionState


def call(item_id: str, call_id: str = "c", response_id: str = "r", arguments: str = "{}") -> dict[str, Any]:
    """A call of a function, as an item, with the response that makes it."""
    return {
        "id": item_id, "type": "function_call", "status": "completed", "call_id": call_id, "name": "f",
        "arguments": arguments, "response_id": response_id,
    }  # fmt: skip


def output(item_id: str, call_id: str = "c") -> dict[str, Any]:
    """The output of a function, as an item."""
    return {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": "done"}


def unanswered(*items: dict[str, Any]) -> list[str]:
    """The calls without an output in a conversation of these items."""
    made = Conversation()
    for each in items:
        made.put(each).response_id = each.get("response_id", "")
    return [each.id for each in made.unanswered_calls]


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ([call("a"), output("o")], []),
        ([call("a"), output("o"), call("b", response_id="s")], ["b"]),
        ([call("a"), output("o"), call("b", response_id="s"), output("p")], []),
        ([call("a"), call("b", arguments='{"n":1}'), output("o")], ["b"]),
        ([call("a"), call("b", response_id="s"), output("o"), output("p")], []),
        ([call("a", arguments=""), call("b"), output("o")], []),
        ([call("a"), call("b")], ["b"]),
        ([call("a", ""), call("b", ""), output("o", "")], ["a", "b"]),
        ([output("o"), call("a")], ["a"]),
    ],
)
def test_an_output_answers_the_oldest_call_with_its_id(items: list[dict[str, Any]], left: list[str]) -> None:
    """One call that has two names is one call, and an output is never the one of a call that comes after it."""
    assert unanswered(*items) == left


def test_ids_that_are_used_again_hide_no_call() -> None:
    """Neither those of calls, nor those of items or responses; each output is told with its own call."""
    state, effects = SessionState(), []
    for number in range(3):
        state.send({"type": "response.create"})
        said = call("item", arguments=f'{{"n":{number}}}')
        del said["response_id"]
        done = {"id": "resp", "status": "completed", "output": [said]}
        effects += receive(state, {"type": "response.created", "response": {"id": "resp"}})
        effects += receive(state, {"type": "response.done", "response": done})
        assert [each.text for each in state.conversation.unanswered_calls] == [f'{{"n":{number}}}']
        if number < 2:
            effects += receive(state, {"type": "conversation.item.added", "item": output(f"output_{number}")})
            assert state.conversation.unanswered_calls == []

    told = [each.arguments for each in effects if isinstance(each, FunctionCalled)]
    answered = [each.arguments for each in effects if isinstance(each, FunctionAnswered)]
    assert (told, answered) == (['{"n":0}', '{"n":1}', '{"n":2}'], ['{"n":0}', '{"n":1}'])
