"""MCP servers that the endpoint calls: they are asked for, followed, and approved of as functions are."""

from typing import Any

import pytest

from runner.profile import make_profile
from runner.protocol.server_effects import ServerCalled, ServerListed
from runner.session.approvals import ApprovalRequest
from runner.session.opening import open_session
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio

CALL = {"name": "find", "server": "tickets", "arguments": {"text": "\\1"}, "output": "Ticket 7"}
SCRIPT = [
    {"match": "about (\\w+)", "reply": "I look.", "calls": [CALL]},
    {"match": "broken", "reply": "I try.", "calls": [{**CALL, "output": "out of order", "fails": True}]},
]


def profile_with(**server: Any) -> Any:
    """A session with one server that the endpoint calls, and one that leads nowhere."""
    run = {"kind": "hosted", "server_url": "https://tickets.example", "authorization": {"env": "TICKETS_TOKEN"}}
    nowhere = {"name": "nowhere", "run": {"kind": "hosted", "server_url": "https://x.invalid"}}
    return make_profile(
        endpoint={"kind": "local", "delta_interval_ms": 0, "script": SCRIPT},
        session={"output_modalities": ["text"]},
        mcp_servers=[{"name": "tickets", "run": run, **server}, nowhere],
    )


async def test_what_the_endpoint_does_with_a_server_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the server's token; what it lists, calls and fails at is told, and the token never."""
    monkeypatch.setenv("TICKETS_TOKEN", "tok-1234567890")
    with captured_log() as lines:
        async with open_session(profile_with()) as session:
            asked = session.state.configuration.asked or {}
            effects = session.effects()
            texts = [await session.ask(each) for each in ("A ticket about rain", "Is it broken?")]
        found = [each async for each in effects if isinstance(each, ServerCalled | ServerListed)]

    tickets, nowhere = asked["tools"]
    assert tickets == {
        "type": "mcp",
        "server_label": "tickets",
        "server_url": "https://tickets.example/",
        "authorization": "tok-1234567890",
        "require_approval": "never",
    }
    assert nowhere["server_label"] == "nowhere"
    assert texts == ["I look.", "I try."]
    called, failed = [each for each in found if isinstance(each, ServerCalled)]
    assert (called.name, called.arguments, called.output, called.error) == ("find", '{"text":"rain"}', "Ticket 7", "")
    assert failed.error == "out of order"
    events = {each["event"]: each for each in lines}
    assert (events["mcp_server_listed"]["server"], events["mcp_server_listed"]["tools"]) == ("tickets", 1)
    assert events["mcp_server_unlisted"]["server"] == "nowhere"
    assert events["mcp_call_failed"]["error"] == "out of order"
    assert "tok-1234567890" not in str(lines)


@pytest.mark.parametrize(("is_approved", "answer"), [(True, ""), (False, "The call was denied.")])
async def test_a_call_of_a_server_waits_for_approval(
    monkeypatch: pytest.MonkeyPatch, *, is_approved: bool, answer: str
) -> None:
    """Whoever approves of functions is asked, with the name of the server; the endpoint then goes on by itself."""
    monkeypatch.setenv("TICKETS_TOKEN", "tok-1234567890")
    requests: list[ApprovalRequest] = []

    async def approve(request: ApprovalRequest) -> bool:
        requests.append(request)
        return is_approved

    async with open_session(profile_with(approval="always"), approve=approve) as session:
        effects = session.effects()
        await session.say("A ticket about rain")
        await session.wait_idle()
        texts = [item.text for item in session.state.conversation.items if item.role == "assistant"]
    called = [each.output async for each in effects if isinstance(each, ServerCalled)]

    (request,) = requests
    assert (request.server, request.name, request.arguments) == ("tickets", "find", '{"text":"rain"}')
    assert called == (["Ticket 7"] if is_approved else [])
    assert texts == ["I look.", *([answer] if answer else [])]
