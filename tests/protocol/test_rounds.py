"""What a response calls, in whatever events an endpoint says it."""

from typing import Any

import pytest

from runner.protocol.effects import Effect, FunctionCalled, ResponseEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState

ARGUMENTS = '{"order":"7"}'
CALL: dict[str, Any] = {
    "id": "i",
    "type": "function_call",
    "status": "completed",
    "call_id": "c",
    "name": "look",
    "arguments": ARGUMENTS,
}
BEGUN = {**CALL, "status": "in_progress", "arguments": ""}
SAID = {
    "type": "response.function_call_arguments.done",
    "response_id": "r",
    "item_id": "i",
    "call_id": "c",
    "name": "look",
    "arguments": ARGUMENTS,
}


def added(item: dict[str, Any]) -> dict[str, Any]:
    """The beginning of an item."""
    return {"type": "response.output_item.added", "response_id": "r", "item": item}


def told(*events: dict[str, Any], output: Any = (), status: str = "completed") -> list[Effect]:
    """What a response of these events means."""
    state = SessionState()
    state.send({"type": "response.create"})
    done = {"type": "response.done", "response": {"id": "r", "status": status, "output": list(output)}}
    begun = {"type": "response.created", "response": {"id": "r"}}
    return [each for event in [begun, *events, done] for each in receive(state, event)]


def calls(effects: list[Effect]) -> list[tuple[str, str, str]]:
    """What is called, with which arguments."""
    return [(each.call_id, each.name, each.arguments) for each in effects if isinstance(each, FunctionCalled)]


@pytest.mark.parametrize(
    ("events", "output"),
    [
        ([], [CALL]),
        ([], [{**CALL, "arguments": {"order": "7"}}]),
        ([], [{**CALL, "status": None, "call_id": "c"}]),
        ([SAID], []),
        ([added(BEGUN), SAID], []),
        ([added({**BEGUN, "name": None}), SAID], [BEGUN]),
        ([added(BEGUN)], [{**CALL, "id": "j"}]),
        ([added(BEGUN), SAID], [{**CALL, "id": "j"}]),
    ],
)
def test_a_call_is_made_once_and_with_its_arguments(events: list[dict[str, Any]], output: Any) -> None:
    """Whatever events and shapes say it."""
    assert calls(told(*events, output=output)) == [("c", "look", ARGUMENTS)]


def test_calls_that_share_an_id_are_all_made() -> None:
    """They are not the same call."""
    other = {**CALL, "id": "j", "arguments": "{}"}
    assert calls(told(output=[CALL, other])) == [("c", "look", ARGUMENTS), ("c", "look", "{}")]


def test_a_call_that_a_limit_cuts_is_nothing() -> None:
    """It is not run, and where nothing else is said, nothing was."""
    effects = told(output=[{**CALL, "status": "incomplete", "arguments": '{"or'}], status="incomplete")
    assert not calls(effects)
    assert [each.loss.message for each in effects if isinstance(each, ResponseEnded) and each.loss] == [
        "the response is empty"
    ]
