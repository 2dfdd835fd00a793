"""The commands of the control socket against a running session and a scripted endpoint."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from runner.errors import CommandRefused, SessionAbsent, UsageError
from runner.session import confirmation
from tests.helpers import live_peer
from tests.helpers.controlled_runs import answers, controlled_runs, for_ever, in_thread, obliging
from tests.helpers.endpoint_scripts import confirm, in_turn, reached
from tests.helpers.peer import Peer, serving
from tests.helpers.spoken_session import ramp, speak

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio; what depends on the loop is tested with the connection."""
    return "asyncio"


async def test_what_is_sent_is_what_was_asked_for_and_confirmed(tmp_path: Path) -> None:
    """Each command puts its client event on the wire, and ends with the ids of what came of it."""
    async with serving(obliging) as (port, peers), controlled_runs(tmp_path, for_ever(port)) as runs:
        said = await runs.request("say", text="Hello")
        noted = await runs.request("say", text="By the way", respond=False)
        item = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        await runs.request("item.add", item={"id": "mine", **item}, previous_item_id="root")
        await runs.request("item.truncate", item_id="mine", audio_end_ms=120)
        await runs.request("item.remove", item_id="mine")
        await runs.request("update", changes={"instructions": "Be brief", "tracing": None})
        await runs.request("respond", response={"instructions": "Once more", "conversation": "none"})
        await runs.request("commit")
        await runs.request("clear")
        sent = await runs.request("event", event={"type": "conversation.item.retrieve", "item_id": "gone"})
        nothing = await runs.request("cancel")

    (peer,) = peers
    wire: list[Any] = [{name: each[name] for name in each if name != "event_id"} for each in peer.received[1:]]
    message = {"type": "message", "role": "user"}
    assert wire == [
        {
            "type": "conversation.item.create",
            "item": {**message, "content": [{"type": "input_text", "text": "Hello"}], "id": said["item_id"]},
        },
        {"type": "response.create"},
        {
            "type": "conversation.item.create",
            "item": {**message, "content": [{"type": "input_text", "text": "By the way"}], "id": noted["item_id"]},
        },
        {"type": "conversation.item.create", "item": {"id": "mine", **item}, "previous_item_id": "root"},
        {"type": "conversation.item.truncate", "item_id": "mine", "audio_end_ms": 120, "content_index": 0},
        {"type": "conversation.item.delete", "item_id": "mine"},
        {
            "type": "session.update",
            "session": {"type": "realtime", "instructions": "Be brief", "tracing": None},
        },
        {"type": "response.create", "response": {"instructions": "Once more", "conversation": "none"}},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "conversation.item.retrieve", "item_id": "gone"},
    ]
    assert said["response_id"] == said["event_id"] == peer.received[2]["event_id"]
    assert (said["confirmed"], noted["confirmed"], sent["confirmed"]) == (True, True, False)
    assert nothing == {"cancelled": False}


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the endpoint never confirms counts as sent soon."""
    monkeypatch.setattr(confirmation, "CONFIRMATION_S", 0.3)


async def test_what_the_endpoint_refuses_is_refused_in_its_words(tmp_path: Path) -> None:
    """An error that names the event refuses the command, and the session has lost nothing: who asked is told."""
    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        for command, fields in (
            ("update", {"changes": {"instructions": "forbidden"}}),
            ("say", {"text": "forbidden"}),
            ("respond", {"response": {"instructions": "forbidden"}}),
        ):
            with pytest.raises(CommandRefused, match=r"That is forbidden\."):
                await runs.request(command, **fields)
        assert (await runs.request("say", text="Hello"))["confirmed"] is True
        session = runs.fleet.runs[0].session
        assert session is not None
        assert session.first_unanswered is None

        # No endpoint confirms it, nobody says that this one has, and nobody is told that it is refused.
        assert list(await runs.request("event", event={"type": "forbidden"})) == ["event_id"]
        await reached(lambda: session.first_unanswered is not None)


NONSENSE: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("update", {"changes": {"instuctions": "x"}}, UsageError, "instuctions: unknown key"),
    ("event", {"event": {"no": "type"}}, UsageError, "needs a `type`"),
    ("say", {"text": ""}, UsageError, "text: "),
    ("say", {"text": "x", "session": 2}, SessionAbsent, "there is no session 2 in this process"),
    ("say", {"text": "x", "profile": "sales"}, SessionAbsent, "there is no session of sales in this process"),
    ("frobnicate", {}, UsageError, "there is no such command"),
    ("input.stop", {}, CommandRefused, "cannot be switched"),
    ("output.stop", {}, CommandRefused, "plays nothing"),
]


async def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    """A request that is none, that means no session, or that this session has no use for."""
    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        for command, fields, error, words in NONSENSE:
            with pytest.raises(error, match=words):
                await runs.request(command, **fields)


async def test_a_session_is_listed_cancelled_followed_and_closed(tmp_path: Path) -> None:
    """Its state, an answer that is cut off, its events and text until its end, and the end."""

    async def talkative(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("first words", end=False)
        await peer.until("response.cancel")
        await peer.end("first words", status="cancelled")
        await peer.to_the_end()

    prices = {"run": {"limits": {"prices": {"output_text": 1.0}}}}
    async with serving(talkative) as (port, _), controlled_runs(tmp_path, for_ever(port, **prices)) as runs:
        (before,) = (await runs.request("status"))["sessions"]
        with await runs.connected() as follower, await runs.connected() as listener:
            follower.sendall(b'{"id":"f","command":"events","filter":["response.output_text.*","response.done"]}\n')
            listener.sendall(b'{"id":"l","command":"attach"}\n')
            # A request that is answered only when the two before it are begun.
            await runs.request("status")
            said = await runs.request("say", text="Go on", session=1, profile="support")
            (during,) = (await runs.request("status"))["sessions"]
            cancelled = await runs.request("cancel")
            await reached(lambda: not runs.fleet.runs[0].session.state.busy)  # type: ignore[union-attr]  # it is open
            closed = await runs.request("close")
            await reached(lambda: runs.fleet.runs[0].phase == "ended")
            followed = await in_thread(answers, follower, 3)
            heard = await in_thread(answers, listener, 4)
            with pytest.raises(CommandRefused, match="session 1 of support is over"):
                await runs.request("say", text="Are you there?")

    assert (before["state"], before["turns"], before["cost"], before["session"]) == ("open", 0, 0.0, 1)
    assert (during["is_responding"], during["model"]) == (True, "test")
    assert (cancelled, closed) == ({"cancelled": True}, {})
    assert [each.get("event", {}).get("type") for each in followed] == [
        "response.output_text.delta",
        "response.done",
        None,
    ]
    assert followed[-1] == {"id": "f", "ok": True, "result": {}}
    assert [each.get("text") for each in heard[:2]] == ["first words", "\n"]
    assert heard[2:] == [
        {"id": "l", "answered": said["event_id"], "status": "cancelled"},
        {"id": "l", "ok": True, "result": {}},
    ]


async def test_sessions_of_one_process_are_reported_apart(tmp_path: Path) -> None:
    """By profile and by number; what is meant for one reaches only that one."""
    async with serving(in_turn(obliging)) as (port, peers):
        profiles = [for_ever(port, run={"sessions": 2}), for_ever(port)]
        async with controlled_runs(tmp_path, *profiles, names=["sales", "support"]) as runs:
            everything = (await runs.request("status"))["sessions"]
            await runs.request("say", text="to support", profile="support")
            await runs.request("say", text="to sales", session=2)
            with pytest.raises(UsageError, match="there are 2 sessions of sales") as refused:
                await runs.request("say", text="to whom?", profile="sales")

    assert [(each["session"], each["profile"], each["state"]) for each in everything] == [
        (1, "sales", "open"),
        (2, "sales", "open"),
        (3, "support", "open"),
    ]
    assert "1 to 2" in refused.value.hint
    said = [item["item"]["content"][0]["text"] for peer in peers for item in peer.received if "item" in item]
    assert sorted(said) == ["to sales", "to support"]


async def test_a_session_that_opens_or_reconnects_says_so(tmp_path: Path) -> None:
    """It is listed from its beginning, and a command for it waits for the next connection."""
    is_back = anyio.Event()

    async def lost(peer: Peer) -> None:
        await peer.greet()
        await peer.until("conversation.item.delete")
        await peer.stream.aclose()

    async def later(peer: Peer) -> None:
        await is_back.wait()
        await obliging(peer)

    patient = {"run": {"reconnect": {"max_attempts": 5, "initial_delay_s": 0.01}}}
    async with (
        serving(in_turn(lost, later)) as (port, peers),
        controlled_runs(tmp_path, for_ever(port, **patient), waits=False) as runs,
    ):
        (first,) = (await runs.request("status"))["sessions"]
        await reached(lambda: runs.fleet.runs[0].phase == "live")
        await runs.request("item.remove", item_id="any")
        await reached(lambda: len(peers) == 2)
        (between,) = (await runs.request("status"))["sessions"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runs.request, "commit")
            await anyio.lowlevel.checkpoint()
            is_back.set()
        (after,) = (await runs.request("status"))["sessions"]

    assert first["state"] in {"opening", "open"}
    assert (between["state"], between["connections"]) == ("reconnecting", 1)
    assert (after["state"], after["connections"]) == ("open", 2)
    assert "input_audio_buffer.commit" in [each["type"] for each in peers[1].received]


async def test_a_stopped_output_is_silence_until_it_is_started(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The samples take their time, and nobody hears them; recordings and the conversation go on as ever."""
    pcm = ramp(100)

    async def speaking(peer: Peer) -> None:
        await peer.greet()
        for number in (1, 2):
            await peer.until("response.create")
            await speak(peer, pcm, "words", number=number)
        await peer.to_the_end()

    outputs = [
        {"kind": "stdout", "format": "audio", "pace": "fast"},
        {"kind": "audio", "path": str(tmp_path / "both.wav")},
    ]
    async with serving(speaking) as (port, _), controlled_runs(tmp_path, for_ever(port, outputs=outputs)) as runs:
        run = runs.fleet.runs[0]
        stopped = await runs.request("output.stop")
        (status,) = (await runs.request("status"))["sessions"]
        await runs.request("say", text="one")
        await reached(lambda: run.session and run.session.usage.responses == 1)
        await runs.request("output.start")
        await runs.request("say", text="two")
        await runs.request("close")
        await reached(lambda: run.phase == "ended")

    assert (stopped, status["output"]) == ({"output": "stopped"}, "stopped")
    assert capfdbinary.readouterr().out == bytes(len(pcm)) + pcm
    assert pcm in (tmp_path / "both.wav").read_bytes()


async def test_a_session_moves_on_request_and_its_calls_are_approved(tmp_path: Path) -> None:
    """To another connection with the conversation; a call runs, or does not, as the answer to it says."""
    calls = iter(range(1, 9))

    async def calling(peer: Peer) -> None:
        await peer.greet()
        while (event := await peer.event()) is not None:
            if event["type"] != "response.create":
                await confirm(peer, event)
                continue
            number = next(calls)
            call = {"type": "function_call", "call_id": f"call_{number}", "name": "look_up", "arguments": "{}"}
            item = {"id": f"item_call_{number}", "status": "completed", **call}
            output = [] if number > 2 else [item]
            done = {"id": f"resp_{number}", "status": "completed", "output": output, "conversation_id": "c"}
            await peer.send({"type": "response.created", "response": {"id": f"resp_{number}", "conversation_id": "c"}})
            await peer.send({"type": "response.done", "response": done})

    tool = {
        "name": "look_up",
        "description": "Look it up.",
        "parameters": {"type": "object", "properties": {}},
        "run": {"kind": "command", "argv": ["/bin/echo", "42"]},
        "approval": "always",
    }
    async with serving(calling) as (port, peers), controlled_runs(tmp_path, for_ever(port, tools=[tool])) as runs:
        session = runs.fleet.runs[0].session
        assert session
        assert session.tools
        moved = await runs.request("rollover")
        await runs.request("say", text="What is it?")
        waiting = session.tools.approvals.waiting
        await reached(lambda: "call_1" in waiting)
        (status,) = (await runs.request("status"))["sessions"]
        await runs.request("approve", call_id="call_1")
        await reached(lambda: "call_2" in waiting)
        await runs.request("deny", call_id="call_2", reason="Not now")
        await reached(lambda: len(outputs(peers[1])) == 2)
        with pytest.raises(CommandRefused, match="no call with the id 'call_1'"):
            await runs.request("deny", call_id="call_1")

    assert (moved, len(peers)) == ({"connections": 2}, 2)
    assert status["approvals"] == [{"id": "call_1", "name": "look_up", "arguments": "{}", "server": ""}]
    assert "42" in outputs(peers[1])[0]
    assert "Not now" in outputs(peers[1])[1]


def outputs(peer: Peer) -> list[str]:
    """What the functions have given that the endpoint called."""
    items = [each["item"] for each in peer.received if each["type"] == "conversation.item.create"]
    return [each["output"] for each in items if each["type"] == "function_call_output"]


async def test_a_live_session_speaks_first_by_instructions_alone(tmp_path: Path) -> None:
    """The `response.create` of the Live API is for the model behind it, and nothing would answer it."""

    async def answering(peer: Peer) -> None:
        await live_peer.start(peer)
        asked.append(event := await peer.until("session.instructions.append"))
        await peer.send(live_peer.confirmed(event), live_peer.words("output", "La.", 0, 100))
        await live_peer.close(peer)

    asked: list[dict[str, Any]] = []
    session = {"type": "live"}
    async with serving(answering) as (port, _), controlled_runs(tmp_path, for_ever(port, session=session)) as runs:
        for response in ({}, {"conversation": "none", "instructions": "Sing."}):
            with pytest.raises(CommandRefused, match="but by `instructions`"):
                await runs.request("respond", response=response)
        await runs.request("respond", response={"instructions": "Sing."})
    assert asked[0]["content"].endswith("\n\nSing.")
