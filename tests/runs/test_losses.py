"""What reaches nobody is named, and fails the run."""

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from runner.errors import InputError, OutputError, ProfileError, ProtocolError
from runner.runs.losses import losses
from runner.settings.profile import Profile
from tests.helpers.command_process import Command, Ended, profile
from tests.helpers.endpoint_scripts import asked, confirm, logged, session_with
from tests.helpers.hearing_peers import lost_session
from tests.helpers.peer import Peer, Script, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what differs between the two is tried elsewhere."""
    return "asyncio"


def profiled(**tables: Any) -> Profile:
    """A profile with these tables."""
    endpoint = {"kind": "custom", "base_url": "http://127.0.0.1:1/v1"}
    return Profile.model_validate({"version": 1, "endpoint": endpoint, "model": {"name": "test"}, **tables})


TEXT, EVENTS = profiled(), profiled(input={"kind": "stdin", "format": "events"})
PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[session]
output_modalities = ["text"]
[[session.tools]]
type = "function"
name = "light"
{more}
"""


def call(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A call of a function, as an item of a response."""
    ids = {"id": f"item_call_{number}", "call_id": f"call_{number}"}
    return {**ids, "type": "function_call", "name": "light", "arguments": "{}", "status": "completed", **fields}


def calling(*items: dict[str, Any]) -> Script:
    """Answers the first question with these items, and confirms whatever else comes."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}})
        done = {"id": "resp_1", "status": "completed", "output": [*items]}
        await peer.send({"type": "response.done", "response": done})
        while (event := await peer.event()) is not None:
            await confirm(peer, event)

    return script


MESSAGE = {
    "id": "item_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Well."}],
}


@pytest.mark.parametrize("items", [[call()], [MESSAGE, call()], [call(1), call(2)]], ids=["only", "with words", "two"])
@pytest.mark.parametrize("given", [{"kind": "stdin"}, {"kind": "none"}, {"kind": "file", "path": "a.wav"}])
async def test_a_call_that_nothing_can_answer_is_the_profiles_problem(items: list[dict[str, Any]], given: Any) -> None:
    """Whatever else the response says."""
    async with session_with(calling(*items)) as (session, _, _):
        await session.say("Light, please.")
        await session.wait_answered()
        (found,) = losses(session, profiled(input=given), unwritten="")

    assert isinstance(found, ProfileError)
    assert found.exit_code == 78
    assert found.message == "the model has called light, and nothing in this profile can answer it"


async def test_a_call_that_is_answered_or_could_be_is_no_loss() -> None:
    """By client events on the input, by a Python program; and one that was cut short calls nothing."""
    async with session_with(calling(call(1), call(2, status="incomplete"))) as (session, _, _):
        await session.say("Light, please.")
        await session.wait_answered()
        assert list(losses(session, EVENTS, unwritten="")) == []

        output = {"type": "function_call_output", "call_id": "call_1", "output": "on"}
        sent = {await session.send({"type": "conversation.item.create", "item": output})}
        while session.state.conversation.unconfirmed(sent):
            await session.changes.next()
        assert list(losses(session, TEXT, unwritten="")) == []


async def test_a_call_that_runs_when_the_run_ends_is_no_loss_of_the_profile() -> None:
    """What rt-run itself answers is cut off with the run, and told of then."""
    async with session_with(calling(call())) as (session, _, _):
        is_running = anyio.Event()

        @session.tool
        async def light() -> None:
            is_running.set()
            await anyio.sleep_forever()

        await session.say("Light, please.")
        await is_running.wait()
        assert session.state.is_pending
        assert list(losses(session, TEXT, unwritten="")) == []


SAID = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
AUDIO = {"type": "response.output_audio.delta", **SAID, "delta": "AAAA"}
TEXT_DELTA = {"type": "response.output_text.delta", **SAID, "delta": "As far as"}
UNKNOWN = {
    "type": "response.output_item.done",
    **SAID,
    "item": {"id": "item_0", "type": "image", "status": "completed"},
}


@pytest.mark.parametrize(
    ("status", "reason", "events", "loss"),
    [
        ("completed", "", [], "the response is empty"),
        (
            "completed",
            "",
            [UNKNOWN],
            "the response is empty: it has only items of types that rt-run does not know (image)",
        ),
        ("completed", "", [UNKNOWN, TEXT_DELTA], ""),
        ("incomplete", "content_filter", [], "the response is empty (content_filter)"),
        ("cancelled", "", [TEXT_DELTA], "the endpoint cancelled the response"),
        ("cancelled", "turn_detected", [], ""),
        ("completed", "", [AUDIO], ""),
        ("completed", "", [TEXT_DELTA], ""),
        ("incomplete", "max_output_tokens", [TEXT_DELTA], ""),
    ],
)
async def test_an_answer_in_which_nothing_is_said_is_none(
    status: str, reason: str, events: list[dict[str, Any]], loss: str
) -> None:
    """Nor is one that the endpoint cancels though nobody wanted it to."""

    async def void(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}}, *events)
        done = {"id": "resp_1", "status": status, "status_details": {"reason": reason}, "output": []}
        await peer.send({"type": "response.done", "response": done})
        await peer.to_the_end()

    async with session_with(void) as (session, _, lines):
        await session.say("Tell me everything.")
        await session.wait_answered()
        found = [(type(each), each.message) for each in losses(session, profiled(outputs=[]), unwritten="")]
        assert found == ([(ProtocolError, loss)] if loss else [])
        assert len(logged(lines, "response_lost")) == len(found)


WAV = {"kind": "audio", "path": "a.wav"}
STDOUT = {"kind": "stdout"}
SHOWN = {"kind": "stdout", "format": "events"}
SAMPLES = {"kind": "stdout", "format": "audio"}
NOTED = {"kind": "transcript", "path": "said.jsonl"}


@pytest.mark.parametrize(
    ("event", "outputs", "code"),
    [
        (AUDIO, [STDOUT], 78),
        (AUDIO, [NOTED], 78),
        (AUDIO, [STDOUT, WAV], 0),
        (AUDIO, [SHOWN], 0),
        (AUDIO, [], 0),
        (TEXT_DELTA, [WAV], 76),
        (TEXT_DELTA, [SAMPLES], 76),
        (TEXT_DELTA, [WAV, NOTED], 0),
        (TEXT_DELTA, [STDOUT], 0),
        (TEXT_DELTA, [{"kind": "events", "path": "events.jsonl"}], 0),
    ],
)
async def test_an_answer_that_no_output_shows_is_a_loss(
    event: dict[str, Any], outputs: list[dict[str, Any]], code: int
) -> None:
    """Audio without words where only text is shown, and text where only audio is played."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}}, event)
        item = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed"}
        done = {"id": "resp_1", "status": "completed", "output": [item]}
        await peer.send({"type": "response.done", "response": done})
        await peer.to_the_end()

    async with session_with(script) as (session, _, _):
        await session.say("Well?")
        await session.wait_answered()
        found = [each.exit_code for each in losses(session, profiled(outputs=outputs), unwritten="")]
        assert found == ([code] if code else [])


async def test_a_response_that_the_client_cancels_is_no_loss() -> None:
    """It wanted none of it any more."""

    async def obeying(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("As far as", end=False)
        await peer.until("response.cancel")
        await peer.end("As far as", status="cancelled")
        await peer.to_the_end()

    async with session_with(obeying) as (session, _, _):
        await session.say("Tell me everything.")
        while not session.state.in_flight:
            await session.changes.next()
        await session.cancel()
        await session.wait_answered()
        assert list(losses(session, TEXT, unwritten="")) == []


async def test_an_answer_that_a_limit_cuts_is_what_came_of_it() -> None:
    """The log says that it was cut."""

    async def cut_short(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("As far as", status="incomplete", status_details={"reason": "max_output_tokens"})
        await peer.to_the_end()

    async with session_with(cut_short) as (session, _, lines):
        await session.say("Tell me everything.")
        await session.wait_answered()
        assert list(losses(session, TEXT, unwritten="")) == []
        assert [each["reason"] for each in logged(lines, "response_incomplete")] == ["max_output_tokens"]


async def test_everything_that_is_lost_is_reported() -> None:
    """What could not be written, what was not answered, and what could not be sent."""
    async with lost_session(max_audio_age_s=0.02) as (session, _, returning):
        await session.append_audio(bytes(4800))
        await anyio.sleep(0.1)
        returning.set()
        while session.link is None:
            await session.changes.next()
        session.give_up(ProtocolError("no"))
        found = list(losses(session, TEXT, unwritten="the file x"))

    assert [type(each) for each in found] == [OutputError, ProtocolError, InputError]
    assert "4800 bytes of audio" in found[-1].message


async def test_a_run_without_a_session_has_lost_nothing_but_what_it_could_not_write() -> None:
    """What kept it from opening is its error already."""
    assert list(losses(None, TEXT, unwritten="")) == []
    assert [each.exit_code for each in losses(None, TEXT, unwritten="the file x")] == [74]


async def run(folder: Path, script: Script, lines: str, *, more: str = "") -> Ended:
    """Run the command against an endpoint that follows a script, with these lines on standard input."""
    async with serving(script) as (port, _):
        name = profile(folder, PROFILE.format(port=port, more=more))
        command = Command("--profile", name, folder=folder)
        return await anyio.to_thread.run_sync(partial(command.end, lines))


async def test_a_run_that_loses_something_fails_and_names_it(tmp_path: Path) -> None:
    """With the exit code of the first thing that was lost; the others are in the log."""

    async def refusing(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        done = {"id": "resp_1", "status": "completed", "output": [call()]}
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}})
        await peer.send({"type": "response.done", "response": done})
        event = await asked(peer)
        error = {"type": "invalid_request_error", "message": "not that", "event_id": event["event_id"]}
        await peer.send({"type": "error", "error": error})
        await peer.to_the_end()

    ended = await run(tmp_path, refusing, "Light, please.\nAnd now?\n")

    assert (ended.code, ended.stdout) == (76, "")
    assert ended.logged("run_failed")["error"] == "not that"
    assert ended.logged("lost")["exit_code"] == 78
    assert "the model has called light" in ended.logged("lost")["error"]


async def test_a_call_that_only_its_beginning_tells_of_is_a_call(tmp_path: Path) -> None:
    """Some servers end neither the item nor the list of them."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}})
        begun = call(status="in_progress", arguments="")
        await peer.send({"type": "response.output_item.added", "response_id": "resp_1", "item": begun})
        await peer.send({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}})
        await peer.to_the_end()

    ended = await run(tmp_path, script, "Light, please.\n")

    assert (ended.code, ended.stdout) == (78, "")
    assert "the model has called light" in ended.logged("run_failed")["error"]


@pytest.mark.parametrize("status", ["completed", None, 7], ids=str)
async def test_a_run_whose_only_answer_is_a_call_fails(tmp_path: Path, status: Any) -> None:
    """It would have ended well, with nothing said and nothing logged; some servers give a call no status."""
    ended = await run(tmp_path, calling(call(status=status)), "Light, please.\n")

    assert (ended.code, ended.stdout) == (78, "")
    assert "the model has called light" in ended.logged("run_failed")["error"]
