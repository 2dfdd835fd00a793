"""Functions that the model behind a Live session calls, with a scripted endpoint."""

import json
from typing import Any

import anyio
import pytest

from runner.errors import IllegalEvent
from runner.protocol import voices
from runner.protocol.effects import FunctionAnswered
from tests.helpers.endpoint_scripts import kinds, logged, moved, reached, session_with
from tests.helpers.live_peer import close, confirmed, delegate, respond, start, words
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio

DELEGATING = {"type": "live", "delegation": {"type": "responses", "responses": {"model": "gpt-5.2"}}}
CALLS = (("order", '{"number": "7"}'), ("weather", "{}"))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)


async def test_all_calls_are_answered_before_the_model_goes_on() -> None:
    """What is said meanwhile answers nothing; one `response.create` follows all outputs, for each response."""
    said: list[Any] = []

    async def script(peer: Peer) -> None:
        await start(peer)
        update = await peer.until("session.update")
        names = [each["name"] for each in update["session"]["delegation"]["responses"]["tools"]]
        said.append(names)
        await peer.send({"type": "session.updated", "session": update["session"]})
        question = await peer.until("session.instructions.append")
        await peer.send(confirmed(question), words("output", "One moment.", 0, 100))
        await delegate(peer, "dlg_1", *CALLS)
        for response_id in ("resp_2", "resp_3"):
            items = []
            while (event := await peer.event()) is not None and event["type"] != "response.create":
                items += [event["item"]] if event["type"] == "response.item.create" else []
            said.append(sorted(each["output"] for each in items))
            assert event is not None
            assert "response" not in event
            await respond(peer, "dlg_1", *(CALLS[:1] if response_id == "resp_2" else ()), response_id=response_id)
        await peer.send(words("output", "Shipped, and it rains.", 3000, 3500))
        await close(peer)

    async with session_with(script, session=DELEGATING) as (session, _, _):
        answered = session.effects()

        @session.tool
        def order(number: str) -> str:
            """Look up an order."""
            return f"{number} is shipped"

        @session.tool
        def weather() -> str:
            """Say what the weather is."""
            return "rain"

        assert await session.ask("Where is order 7, and does it rain?") == "One moment.\nShipped, and it rains."
        await session.aclose()
        calls = [(each.name, each.output) async for each in answered if isinstance(each, FunctionAnswered)]
        assert (session.usage.input_tokens, session.usage.cached_tokens, session.usage.output_tokens) == (30, 12, 15)

    assert said == [["order", "weather"], ["7 is shipped", "rain"], ["7 is shipped"]]
    assert sorted(calls) == [("order", "7 is shipped"), ("order", "7 is shipped"), ("weather", "rain")]


async def test_a_result_that_comes_after_a_loss_is_told() -> None:
    """The next session knows nothing of the call; it is run once, and its result is given as an instruction."""
    may_answer, ran = anyio.Event(), list[str]()

    async def lost(peer: Peer) -> None:
        await start(peer)
        update = await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": update["session"]})
        await delegate(peer, "dlg_1", *CALLS[:1])
        await reached(lambda: ran)

    async def next_one(peer: Peer) -> None:
        asked = await start(peer)
        assert [each["name"] for each in asked["delegation"]["responses"]["tools"]] == ["order"]
        ran.append((await peer.until("session.instructions.append"))["content"])
        await close(peer)

    async with session_with(lost, next_one, session=DELEGATING) as (session, peers, lines):

        @session.tool
        async def order(number: str) -> str:
            """Look up an order."""
            ran.append(number)
            await may_answer.wait()
            return "shipped"

        await moved(session, 2)
        assert not session.state.quiet or session.state.is_pending
        may_answer.set()
        await session.wait_idle()
        await session.aclose()

    assert ran == ["7", 'order has answered, to {"number": "7"}: shipped']
    assert not {"response.item.create", "response.create"} & {*kinds(peers[1])}
    assert [each["tool"] for each in logged(lines, "tool_result_late")] == ["order"]


async def test_a_model_that_delegates_to_the_client_has_no_tools() -> None:
    """A Live model calls nothing itself."""

    async def script(peer: Peer) -> None:
        await start(peer)
        await close(peer)

    async with session_with(script, session={"type": "live"}) as (session, _, _):
        with pytest.raises(IllegalEvent, match="calls no tools"):
            session.tool(json.dumps)
