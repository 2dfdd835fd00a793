"""A session is answered by a language model behind a real HTTP server, in text and by voice."""

from typing import Any

import anyio
import pytest

from runner.errors import RunnerError, SecretError
from runner.local.speech.chat_model import ChatModel
from runner.local.speech.language_model import ModelRequest, NoAnswer
from runner.local.speech.tones import MS_PER_CHARACTER, ToneTranscriber
from runner.profile import make_profile
from runner.protocol.effects import AudioDelta, ResponseEnded
from runner.session.opening import open_session
from runner.settings.brain import ChatBrain
from runner.settings.profile import Profile
from tests.helpers.chat_server import ChatServer, called, chat_server, said
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio
PATIENCE_S = 30
SPOKEN_MS = len("One. Two.") * MS_PER_CHARACTER
HELLO = ModelRequest([{"role": "user", "content": "Hello"}])


def profile_for(server: ChatServer, modality: str = "text", **brain: Any) -> Profile:
    """A session with the local endpoint, whose brain is this server."""
    endpoint = {"kind": "local", "delta_interval_ms": 0, "brain": {**server.brain, **brain}}
    script = [{"match": "by heart", "reply": "As ever."}]
    session = {"output_modalities": [modality], "instructions": "Be brief.", "max_output_tokens": 400}
    return make_profile(
        endpoint={**endpoint, "script": script}, session=session, run={"reconnect": {"initial_delay_s": 0.001}}
    )


async def test_a_conversation_is_answered_by_the_server() -> None:
    """It is told the instructions and all that was said, with its key; what the script knows it is not asked."""
    async with chat_server(said("\n\n", "Good ", "day."), said("Cut", finish_reason="length")) as server:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SMALL_KEY", "k-123456")
            async with open_session(profile_for(server, api_key={"env": "SMALL_KEY"})) as session:
                effects = session.effects()
                answers = [await session.ask(each) for each in ("Say it by heart", "Hello", "And?")]
    ended = [(each.status, each.reason) async for each in effects if isinstance(each, ResponseEnded)]

    assert answers == ["As ever.", "Good day.", "Cut"]
    assert ended == [("completed", ""), ("completed", ""), ("incomplete", "max_output_tokens")]
    first, second = server.requests
    assert first == {
        "model": "small",
        "stream": True,
        "max_tokens": 400,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say it by heart"},
            {"role": "assistant", "content": "As ever."},
            {"role": "user", "content": "Hello"},
        ],
    }
    assert [each["content"] for each in second["messages"][-2:]] == ["Good day.", "And?"]
    assert server.headers[0][""] == "POST /v1/chat/completions HTTP/1.1"
    assert server.headers[0]["authorization"] == "Bearer k-123456"


async def test_an_answer_is_spoken_while_it_is_written() -> None:
    """The first sentence is heard although the model has not come to its end; who speaks over it stops the model."""
    async with chat_server(said("One. ", "Two. ", "Thr"), holds=True) as server:  # noqa: SIM117  # as the others
        async with open_session(profile_for(server, "audio")) as session:
            effects = session.effects()
            await session.say("Hello")
            audio = b""
            while len(audio) < 24 * 2 * SPOKEN_MS:
                effect = await anext(effects)
                audio += effect.decode() if isinstance(effect, AudioDelta) else b""
            await session.cancel()
            with anyio.fail_after(PATIENCE_S):
                await server.left.wait()

    assert ToneTranscriber().transcribe(audio, 24000) == "One. Two."
    assert [each.status async for each in effects if isinstance(each, ResponseEnded)] == ["cancelled"]


async def test_a_model_calls_the_functions_of_the_session() -> None:
    """It is offered them with their schemas, and reads each call with its output."""
    look = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
    output = {"type": "function_call_output", "output": "Sunny."}
    async with chat_server(called(("look", '{"at": "sky"}'), text="One moment."), said("It is sunny.")) as server:
        profile = profile_for(server)
        async with open_session(profile) as session:
            await session.update(tools=[look], tool_choice="required")
            events = session.events()
            await session.say("How is the weather?")
            while (event := await anext(events))["type"] != "response.done":
                pass
            text, call = event["response"]["output"]
            await session.send({"type": "conversation.item.create", "item": {**output, "call_id": call["call_id"]}})
            await session.respond(tool_choice="none")
            await session.wait_idle()

    assert text["content"] == [{"type": "output_text", "text": "One moment."}]
    assert (call["name"], call["arguments"], call["status"]) == ("look", '{"at": "sky"}', "completed")
    first, second = server.requests
    assert first["tools"] == [{"type": "function", "function": {key: look[key] for key in list(look)[1:]}}]
    assert first["tool_choice"] == "required"
    assert "tools" not in second
    said_before, calls, told = second["messages"][-3:]
    assert said_before == {"role": "assistant", "content": "One moment."}
    assert calls["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "sky"}'}
    assert told == {"role": "tool", "tool_call_id": call["call_id"], "content": "Sunny."}


async def test_a_server_that_fails_fails_the_response() -> None:
    """The log says why in one line, with what to do."""
    answer = (404, b'{"error": {"message": "model \'small\' not found"}}')
    async with chat_server(answer) as server:
        with captured_log() as lines:
            async with open_session(profile_for(server)) as session:
                with pytest.raises(RunnerError, match="brain_failed"):
                    await session.ask("Hello")

    line, *_ = [each for each in lines if each["event"] == "brain_failed"]
    assert line["error"] == f"127.0.0.1:{server.port} answered HTTP 404: model 'small' not found"
    assert "usually ends in /v1" in line["hint"]


async def test_a_key_that_is_not_there_is_reported_before_the_session() -> None:
    """As every secret of a profile is."""
    profile = profile_for(ChatServer([]), api_key={"env": "NO_SUCH_KEY"})

    with pytest.raises(SecretError, match="NO_SUCH_KEY"):
        async with open_session(profile):
            pass


def nothing(_part: Any) -> None:
    """Take a part of an answer."""


async def answered(server: ChatServer, request: ModelRequest = HELLO, **settings: Any) -> str:
    """Have one request answered; returns why the model has stopped."""
    model = ChatModel(ChatBrain.model_validate({**server.brain, **settings}), None)
    try:
        return await model.answer(request, nothing)
    finally:
        await model.aclose()


@pytest.mark.parametrize(
    ("answer", "holds", "message"),
    [
        (said("Hal")[:40], True, "has been silent for 0.05 s"),
        (said("Hal")[:-60], False, "breaks off"),
        ((500, b"<html>"), False, "answered HTTP 500"),
        ((200, b'{"choices": []}'), False, "breaks off"),
        ((401, b'{"detail": "no key"}'), False, "answered HTTP 401: no key"),
    ],
)
async def test_what_is_no_answer_is_explained(answer: Any, holds: bool, message: str) -> None:
    """Silence, a stream that breaks off, an error, a server that does not stream."""
    async with chat_server(answer, holds=holds) as server:
        with pytest.raises(NoAnswer, match=message):
            await answered(server, timeout_s=0.05 if holds else PATIENCE_S)


async def test_a_server_that_is_not_there_is_named() -> None:
    """With what to look after."""
    async with chat_server() as server:
        pass

    with pytest.raises(NoAnswer, match="connection refused") as caught:
        await answered(server)
    assert "running?" in caught.value.hint


async def test_a_conversation_that_is_too_long_loses_its_older_part() -> None:
    """From a message of the user on, so that no output is left without its call; the last message stays."""
    too_long = (400, b'{"error": {"code": 400, "message": "the request exceeds the available context size"}}')
    roles = ("system", "user", "assistant", "user", "assistant", "tool", "assistant", "user")
    messages = [{"role": role, "content": str(index)} for index, role in enumerate(roles)]
    async with chat_server(too_long, said("Fits.")) as server:
        assert await answered(server, ModelRequest(messages)) == "stop"
    async with chat_server(too_long) as other:
        with pytest.raises(NoAnswer, match="context size"):
            await answered(other)

    kept = [[each["content"] for each in request["messages"]] for request in server.requests]
    assert kept == [list("01234567"), list("07")]
