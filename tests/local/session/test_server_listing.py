"""MCP servers of a session are simulated as the API has them: listed, called, and asked about first."""

import json
from typing import Any

from tests.helpers.local_client import Wire, new_session

CALL = {"name": "find", "server": "tickets", "arguments": {"text": "\\1"}, "output": "Ticket 7"}
SCRIPT = [
    {"match": "ticket about (\\w+)", "reply": "I look.", "calls": [CALL]},
    {"match": "broken", "calls": [{"name": "find", "server": "tickets", "output": "out of order", "fails": True}]},
]
TICKETS = {"type": "mcp", "server_label": "tickets", "server_url": "https://tickets.example", "authorization": "t0ken"}


def serving_wire(**server: Any) -> Wire:
    """A session in text that has asked for the server, and has it listed."""
    wire = Wire(new_session(script=SCRIPT))
    wire.send(
        "session.update", session={"type": "realtime", "output_modalities": ["text"], "tools": [{**TICKETS, **server}]}
    )
    return wire


def asked(wire: Wire, text: str) -> list[dict[str, Any]]:
    """The events of the answer to a text."""
    wire.say(text)
    return wire.send("response.create") + wire.finish()


def output(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a response has made."""
    made: list[dict[str, Any]] = next(each["response"]["output"] for each in events if each["type"] == "response.done")
    return made


def test_a_server_is_listed_once() -> None:
    """By what the script calls of it; its secrets are not shown, and one that leads nowhere fails."""
    wire = serving_wire(require_approval="never")
    wire.update(tools=[{**TICKETS, "require_approval": "never"}])
    kinds = [each["type"] for each in wire.events]
    done = next(each["item"] for each in wire.events if each["type"] == "conversation.item.done")

    assert kinds[1:6] == [
        "session.updated",
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "conversation.item.done",
    ]
    assert kinds.count("mcp_list_tools.completed") == 1
    assert [each["name"] for each in done["tools"]] == ["find"]
    assert "t0ken" not in json.dumps(wire.events)
    assert serving_wire(server_url="https://x.invalid").events[-1]["type"] == "mcp_list_tools.failed"


def test_a_tool_is_called_without_the_client() -> None:
    """Its arguments stream, its result stands in the conversation, and a failure says why."""
    wire = serving_wire(require_approval="never")

    found = asked(wire, "A ticket about rain")
    failed = asked(wire, "Is it broken?")

    _message, call = output(found)
    assert (call["server_label"], call["arguments"], call["output"]) == ("tickets", '{"text":"rain"}', "Ticket 7")
    kinds = [each["type"] for each in found]
    assert [each for each in kinds if "mcp" in each] == [
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]
    assert "response.mcp_call.failed" in [each["type"] for each in failed]
    assert output(failed)[0]["error"] == {"type": "tool_execution_error", "message": "out of order"}


def test_a_call_waits_for_approval_where_the_session_says_nothing_else() -> None:
    """It is made once it is approved, and never where it is denied."""
    for approve in (True, False):
        wire = serving_wire()
        _message, request = output(asked(wire, "A ticket about rain"))
        answer = {
            "type": "mcp_approval_response",
            "id": "mcpr_1",
            "approval_request_id": request["id"],
            "approve": approve,
        }
        (made,) = output(wire.send("conversation.item.create", item=answer) + wire.finish())

        assert request["type"] == "mcp_approval_request"
        if approve:
            assert (made["approval_request_id"], made["output"]) == (request["id"], "Ticket 7")
        else:
            assert made["content"][0]["text"] == "The call was denied."
