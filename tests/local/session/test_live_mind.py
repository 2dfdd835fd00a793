"""What the model of a Live session does not do itself, it delegates: to the client, or to a Responses model."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runner.local.speech.replies import Call
from runner.protocol.typed_text import typed_event
from tests.helpers.live_client import LiveWire, types, words
from tests.helpers.local_client import said, silence

ORDER = {"match": r"order (\d+)", "reply": "I look.", "calls": [{"name": "order", "arguments": {"number": r"\1"}}]}
SHIPPED = {"output": "shipped on (.+)", "reply": r"It left on \1."}
TOOL = {"type": "function", "name": "order", "parameters": {"type": "object", "properties": {}}}
BACKEND = {"type": "responses", "responses": {"model": "gpt-5.2", "instructions": "Be exact.", "tools": [TOOL]}}


def asked(wire: LiveWire, question: str, quiet_ms: int = 1500) -> list[dict[str, Any]]:
    """What follows from a question that is asked aloud."""
    return wire.listen(said(question) + silence(quiet_ms))


def nested(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of the Responses model."""
    return [each["event"] for each in events if each["type"] == "response.event"]


def called(events: list[dict[str, Any]]) -> dict[str, str]:
    """The calls that are whole, by their ids, with their arguments."""
    items = [each["item"] for each in nested(events) if each["type"] == "response.output_item.done"]
    return {each["call_id"]: each["arguments"] for each in items if each["type"] == "function_call"}


def answer(wire: LiveWire, call_id: str, output: Any) -> list[dict[str, Any]]:
    """Answer a call."""
    return wire.send(
        "response.item.create", item={"type": "function_call_output", "call_id": call_id, "output": output}
    )


def test_a_task_for_the_client_has_no_text() -> None:
    """It has an id, by which the client says what is to be said; another one is refused."""
    wire = LiveWire({}, script=[{"match": "weather", "reply": "One moment.", "delegates": True}])
    events = asked(wire, "How is the weather?")
    (created,) = [each for each in events if each["type"] == "session.delegation.created"]
    delegation = created["delegation"]

    assert delegation == {"id": delegation["id"], "type": "delegation", "target": "client"}
    assert created["offset_ms"] > 24 * len("How is the weather?")
    assert words(events) == "One moment."
    assert types(wire.send("session.thinking.append", content="Looking.", delegation_id=delegation["id"])) == [
        "session.thinking.appended"
    ]
    wire.send("session.commentary.append", content="It is sunny.", delegation_id=delegation["id"])
    assert words(wire.listen(silence(800))) == " It is sunny."
    refused = wire.refusal("session.commentary.append", content="It is not.", delegation_id="dlg_other")
    assert (refused["code"], refused["param"]) == ("delegation_not_found", "delegation_id")
    assert wire.refusal("response.create")["param"] == "type"


def test_a_task_for_the_backend_calls_functions() -> None:
    """All calls are answered before it goes on; what it writes then is said, whoever has spoken meanwhile."""
    both = {**ORDER, "calls": [*ORDER["calls"], {"name": "customer", "arguments": "{}"}]}
    wire = LiveWire({"delegation": BACKEND}, script=[both, SHIPPED])
    events = asked(wire, "Where is order 7?")
    delegation = next(each["delegation"] for each in events if each["type"] == "session.delegation.created")
    order, customer = called(events)

    assert delegation["target"] == "responses"
    assert {each["delegation_id"] for each in events if each["type"] == "response.event"} == {delegation["id"]}
    assert list(called(events).values()) == ['{"number":"7"}', "{}"]
    assert words(events) == "I look."
    lifecycle = [each["response"] for each in nested(events) if "response" in each]
    assert {(each["id"], tuple(each["output"])) for each in lifecycle} == {(delegation["response_id"], ())}
    assert [each["sequence_number"] for each in nested(events)] == list(range(len(nested(events))))

    assert answer(wire, order, "shipped on Monday") == []
    assert customer in wire.refusal("response.create")["message"]
    assert wire.refusal("response.item.create", item={"type": "function_call_output", "call_id": order, "output": ""})
    over = asked(wire, "Hello?")
    answer(wire, customer, [{"type": "input_text", "text": "Ms Lee"}])
    done = wire.send("response.create")
    assert [each["text"] for each in nested(done) if each["type"] == "response.output_text.done"] == [
        "It left on Monday."
    ]
    assert nested(done)[-1]["type"] == "response.completed"
    assert words(over) == " You said: Hello?"
    assert words(wire.listen(silence(1500))) == " It left on Monday."


def test_a_backend_without_calls_says_the_reply() -> None:
    """And one that is given a message answers that, for no delegation; an MCP server's tool is simulated."""
    rows = [
        {"match": "weather", "reply": "It is sunny.", "delegates": True},
        {"match": "ticket", "calls": [{"name": "find", "server": "tickets", "output": "no ticket"}]},
        {"output": "no (.+)", "reply": r"There is no \1."},
    ]
    wire = LiveWire({"delegation": BACKEND}, script=rows)
    sunny = asked(wire, "How is the weather?")
    served = asked(wire, "Is there a ticket?")

    assert words(sunny) == "It is sunny."
    assert "response.output_text.done" in [each["type"] for each in nested(sunny)]
    assert words(served) == " There is no ticket."
    assert "response.mcp_call.completed" in [each["type"] for each in nested(served)]
    assert wire.send("response.item.create", item={"role": "user", "content": "The weather, please."}) == []
    (first, *_) = wire.send("response.create")
    assert first["delegation_id"] is None
    assert words(wire.listen(silence(800))) == " It is sunny."


def test_a_backend_must_call_what_it_is_told_to() -> None:
    """`tool_choice` holds for the first response of a task; the session goes on with what it is changed to."""
    wire = LiveWire({"delegation": BACKEND}, script=[{"match": "order", "reply": "Hm.", "delegates": True}])
    named = {"type": "responses", "responses": {"tool_choice": {"type": "function", "name": "order"}}}
    wire.send("session.update", session={"delegation": named})
    assert list(called(asked(wire, "My order?")).values()) == ["{}"]
    wire.send("session.update", session={"delegation": {"type": "responses", "responses": {"tool_choice": "none"}}})
    assert called(asked(wire, "My order?")) == {}


@pytest.mark.parametrize("target", ["client", "responses"])
def test_a_language_model_delegates(target: str) -> None:
    """It calls the functions of the backend, or the one that hands the task over; its words are said."""
    delegation = BACKEND if target == "responses" else {"type": "client"}
    wire = LiveWire({"instructions": "Be kind.", "delegation": delegation}, brain=CHAT)
    answers: Iterator[list[str | Call]] = iter(
        [["I ", "look. ", Call("order", '{"number": "7"}')], ["It left."], ["You are welcome."]]
    )
    wire.model = lambda _: next(answers)
    events = asked(wire, "Where is order 7?")

    assert words(events).strip() == "I look."
    created = next(each["delegation"] for each in events if each["type"] == "session.delegation.created")
    assert created["target"] == target
    (tool,) = wire.asked[0].tools
    if target == "responses":
        assert wire.asked[0].messages[0]["content"] == "Be kind.\n\nBe exact."
        assert tool["function"]["name"] == "order"
        answer(wire, next(iter(called(events))), "shipped")
        wire.send("response.create")
        assert [each["role"] for each in wire.asked[1].messages[-2:]] == ["assistant", "tool"]
    else:
        assert tool["function"]["name"] == "delegate"
        next(answers)
        wire.send("session.commentary.append", content="It left.", delegation_id=created["id"])
    assert words(wire.listen(silence(800))).strip() == "It left."
    assert words(asked(wire, "Thanks!")).strip() == "You are welcome."
    said_before = [each["content"] for each in wire.asked[-1].messages if each["role"] == "assistant"]
    assert "".join(filter(None, said_before)) == "I look. It left."


def test_a_language_model_that_fails_is_an_error() -> None:
    """The session goes on without an answer; the Responses model fails aloud."""
    wire = LiveWire({"delegation": BACKEND}, brain=CHAT, script=[ORDER])
    failed = asked(wire, "Hello?")
    assert [each["error"]["code"] for each in failed if each["type"] == "error"] == ["brain_failed"]
    answer(wire, next(iter(called(asked(wire, "Order 7?")))), "shipped")
    (_, _, ended) = nested(wire.send("response.create"))
    assert (ended["type"], ended["response"]["status"]) == ("response.failed", "failed")
    assert words(wire.listen(silence(800))) == " I could not do that."


def test_what_is_typed_is_answered_as_what_is_said() -> None:
    """And what waits to be said has a bound, for a client that sends no audio in which it could be."""
    wire = LiveWire({}, script=[ORDER])
    typed = wire.raw(json.dumps(typed_event("What of order 7?")))
    assert types(typed) == ["session.instructions.appended", "session.delegation.created"]
    assert words(wire.listen(silence(800))) == "I look."
    for _ in range(256):
        wire.send("session.commentary.append", content="Hm.", delegation_id=None)
    for kind in ("session.commentary.append", "session.instructions.append"):
        assert wire.refusal(kind, content="Order 7", delegation_id=None)["code"] == "too_many_texts"


CHAT = {"kind": "chat", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
