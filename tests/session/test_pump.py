"""What the pump makes of errors and of messages that are none, against a server that does what each test says."""

import io
import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from runner import logs
from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, ProtocolError, RunnerError, SessionRefused
from runner.session.opening import open_session
from runner.session.pump import MAX_MALFORMED_MESSAGES
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.log_capture import log_restored
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio
CREATED = {"type": "session.created", "session": {"id": "s", "type": "realtime"}}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a session leaves in the log."""
    written = io.StringIO()
    with log_restored():
        logs.configure(level="debug", format="json", stream=written)
        yield written


async def refused_with(error: dict[str, Any]) -> RunnerError:
    """The failure of a session whose configuration is answered with this error."""

    async def script(peer: Peer) -> None:
        await peer.send(CREATED)
        update = await peer.until("session.update")
        await peer.send({"type": "error", "error": {"message": "no", **error, "event_id": update["event_id"]}})
        await peer.to_the_end()

    async with serving(script) as (port, _):
        with pytest.raises(RunnerError) as caught:
            async with open_session(profile_for(port)):
                pass
    return caught.value


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "x", "code": "rate_limit_exceeded"}, EndpointBusy),
        ({"type": "server_error"}, EndpointBusy),
        ({"type": "invalid_request_error", "code": "invalid_value"}, SessionRefused),
        ({"type": "x"}, SessionRefused),
    ],
)
async def test_a_refused_configuration_is_the_profiles_problem_unless_it_is_known(
    error: dict[str, Any], expected: type[RunnerError]
) -> None:
    """What is temporary may be tried again; a profile must be mended."""
    failure = await refused_with(error)

    assert type(failure) is expected
    assert failure.message == "the endpoint refused the session's configuration: no"


@pytest.mark.parametrize(
    ("error", "close", "message", "expected"),
    [
        (
            {"type": "x", "code": "novelty"},
            (1000, ""),
            "the endpoint closed the session with 1000 after the error: no seats left",
            EndpointUnreachable,
        ),
        (
            {"type": "server_error"},
            (1000, "bye"),
            "the endpoint closed the session with 1000 after the error: no seats left (bye)",
            EndpointBusy,
        ),
        (
            {"type": "x", "code": "novelty"},
            (3000, ""),
            "the endpoint closed the session with 3000 after the error: no seats left",
            AccessRefused,
        ),
    ],
)
async def test_the_error_before_a_close_is_its_reason(
    error: dict[str, Any], close: tuple[int, str], message: str, expected: type[RunnerError]
) -> None:
    """Said before the greeting and followed by a polite close: the error is the news, the close is not."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "error", "error": {"message": "no seats left", **error}})
        await peer.close(*close)
        await peer.to_the_end()

    async with serving(script) as (port, _):
        with pytest.raises(RunnerError) as caught:
            async with open_session(profile_for(port)):
                pass
    assert (type(caught.value), caught.value.message) == (expected, message)
    assert caught.value.code == error.get("code", error["type"])


@pytest.mark.parametrize("claimed", [True, False])
async def test_an_error_that_was_lived_through_is_no_reason(claimed: bool) -> None:
    """What a request caused, or what was followed by other events, does not explain a close."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        asked = await peer.until("input_audio_buffer.clear")
        cause = asked["event_id"] if claimed else None
        await peer.send({"type": "error", "error": {"type": "x", "message": "odd", "event_id": cause}})
        if not claimed:
            await peer.send({"type": "input_audio_buffer.cleared"})
        await peer.close(1001)
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        await session.send({"type": "input_audio_buffer.clear"})
        await session.wait_over()
        assert session.failure
        assert session.failure.message == "the endpoint closed the session with 1001"


async def test_what_cannot_be_read_is_logged_once(log: io.StringIO) -> None:
    """Malformed events and messages, thousands of them: one line for each problem."""
    broken = {"type": "response.output_text.delta", "delta": 5, "item_id": "i"}

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(2000):
            await peer.send(broken, "{" * (number % 50))
        await peer.until("response.create")
        await peer.answer("fine")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        with anyio.fail_after(PATIENCE_S):
            await session.say("Hello")
            await session.wait_answered()
            assert isinstance(session.first_unanswered, ProtocolError)

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    malformed = [(line["type"], line["problem"]) for line in lines if line["event"] == "event_malformed"]
    assert sorted(malformed) == [
        ("", "a message is not a JSON object"),
        ("response.output_text.delta", "`delta` is not a string"),
    ]


async def test_pieces_of_an_answer_between_malformed_messages_count() -> None:
    """Only messages in a row that are no events end a session: a piece of an answer shows that the peer is sane."""
    piece = {"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "content_index": 0, "delta": "."}

    async def script(peer: Peer) -> None:
        await peer.greet()
        for _ in range(MAX_MALFORMED_MESSAGES + 10):
            await peer.send(["no", "event"])
            await peer.send(piece)
        await peer.send({"type": "response.created", "response": {"id": "last"}})
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        while "last" not in session.state.in_flight:
            await session.changes.next()

        assert session.failure is None


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False).encode()))
def test_what_the_parser_takes_is_utf_8(data: bytes) -> None:
    """Frames leave the check of text to the parser, so that no message is looked at twice."""
    for message in (data, b'{"' + data + b'": "' + data + b'"}', b"[" + data + b"]"):
        try:
            from_json(message)
        except ValueError:
            continue

        assert message.decode()
