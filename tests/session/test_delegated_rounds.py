"""Functions that the model behind a Live session calls, with a scripted endpoint."""

import json
from typing import Any

import anyio
import pytest

from runner.errors import IllegalEvent, ProtocolError
from runner.protocol import voices
from runner.protocol.effects import FunctionAnswered
from runner.session import hang_up
from tests.helpers.endpoint_scripts import conversation, kinds, logged, moved, reached, session_with
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


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_obedient", [True, False])
async def test_a_model_that_has_had_its_rounds_may_say_so_once(*, is_obedient: bool) -> None:
    """It hears that a further call was not run, and goes on; where it calls all the same, that is a loss."""
    ran: list[str] = []

    async def script(peer: Peer) -> None:
        await start(peer)
        update = await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": update["session"]})
        await peer.send(confirmed(await peer.until("session.instructions.append")))
        await delegate(peer, "dlg_1", *CALLS[:1])
        await peer.until("response.create")
        await respond(peer, "dlg_1", *CALLS[:1], response_id="resp_2")
        refused = await peer.until("response.item.create")
        ran.append(refused["item"]["output"])
        await peer.until("response.create")
        await respond(peer, "dlg_1", *([] if is_obedient else CALLS[:1]), response_id="resp_3")
        if not is_obedient:
            await peer.until("response.item.create")
        await peer.send(words("output", "I do not know.", 0, 100))
        await close(peer)

    async with session_with(script, session=DELEGATING, tools={"max_rounds": 1}) as (session, peers, lines):

        @session.tool
        def order(number: str) -> str:
            """Look up an order."""
            ran.append(number)
            return "shipped"

        assert await session.ask("Where is order 7?") == "I do not know."
        await session.wait_idle()
        assert isinstance(session.first_unanswered, ProtocolError) is not is_obedient
        await session.aclose()

    assert ran == ["7", "The call was not run: the turn has had its 1 rounds of calls."]
    assert kinds(peers[0]).count("response.create") == 2
    assert len(logged(lines, "tool_rounds_spent")) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("said", ["before", "after", "over"])
async def test_a_model_hangs_up_once_it_has_said_good_bye(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it says that before it has somebody hang up or when it hears of it; who speaks after that goes on."""
    monkeypatch.setattr(hang_up, "_UNSAID_S", 0.2)

    async def script(peer: Peer) -> None:
        await start(peer)
        if said == "before":
            await peer.send(words("output", "Goodbye.", 0, 100))
        await delegate(peer, "dlg_1", ("end_session", "{}"))
        await peer.until("response.create")
        if said == "over":
            await peer.send(words("input", "One thing more.", 3_600_000, 3_600_500))
        await respond(peer, "dlg_1", response_id="resp_2")
        if said != "before":
            await peer.send(words("output", "Goodbye.", 3_601_000, 3_601_100))
        if said == "over":
            await peer.send(confirmed(await peer.until("session.instructions.append")))
            await peer.send(words("output", "At nine.", 3_700_000, 3_700_100))
        await close(peer)

    async with session_with(script, session=DELEGATING, tools={"hang_up": True}) as (session, _, _):
        if said == "over":
            await reached(lambda: ("assistant", "Goodbye.") in conversation(session))
            assert await session.ask("When do you open?") == "At nine."
            await session.aclose()
        await session.wait_over()

    assert ("assistant", "Goodbye.") in conversation(session)


async def test_a_model_that_delegates_to_the_client_has_no_tools() -> None:
    """A Live model calls nothing itself."""

    async def script(peer: Peer) -> None:
        await start(peer)
        await close(peer)

    async with session_with(script, session={"type": "live"}) as (session, _, _):
        with pytest.raises(IllegalEvent, match="calls no tools"):
            session.tool(json.dumps)
