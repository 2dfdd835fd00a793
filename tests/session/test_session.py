"""A live session against a server that does what each test says."""

from contextlib import aclosing
from typing import Any

import anyio
import pytest

from runner.api.client_events import ResponseCancel
from runner.errors import (
    EndpointBusy,
    EndpointUnreachable,
    IllegalEvent,
    ProfileError,
    ProtocolError,
    RunnerError,
    SessionRefused,
)
from runner.protocol.effects import Effect, SessionEnded, TextDelta
from runner.session import pump
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.subscription import Subscription
from tests.helpers.endpoint_scripts import PATIENCE_S, in_turn
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio


async def texts(events: Subscription[dict[str, Any]], *, answers: int) -> list[str]:
    """The text of the next answers."""
    found = [""]
    async for event in events:
        if event["type"] == "response.output_text.delta":
            found[-1] += event["delta"]
        elif event["type"] == "response.done":
            answers -= 1
            if not answers:
                break
            found.append("")
    return found


async def test_questions_are_answered_one_after_the_other() -> None:
    """A second question waits for the answer to the first, on the wire too."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(2):
            await peer.until("response.create")
            assert peer.received[-2]["item"]["content"][0]["text"] == f"question {number}"
            await peer.answer("answer ", str(number), response_id=f"resp_{number}", item_id=f"item_{number}")
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port)) as session:
            events = session.events()
            await session.say("question 0")
            await session.say("question 1")
            await session.wait_answered()

            assert await texts(events, answers=2) == ["answer 0", "answer 1"]
        assert peers[0].close_code == 1000


async def test_the_configuration_is_sent_once_and_whole() -> None:
    """The first `session.update` has the session's type, its fields and what `extra` adds."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        table = {"output_modalities": ["text"], "extra": {"novelty": {"on": True}}}
        async with open_session(profile_for(port, session=table)) as session:
            assert session.state.phase == "ready"

        (update,) = peers[0].received
        assert update["session"] == {"type": "realtime", "output_modalities": ["text"], "novelty": {"on": True}}


async def test_a_refused_configuration_ends_the_session() -> None:
    """The endpoint's own words about the profile reach the user."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "session": {"id": "s", "type": "realtime"}})
        update = await peer.until("session.update")
        error = {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "no such voice",
            "param": "session.audio.output.voice",
        }
        await peer.send({"type": "error", "error": {**error, "event_id": update["event_id"]}})
        await peer.to_the_end()

    async with serving(script) as (port, _):
        with pytest.raises(SessionRefused, match=r"no such voice \(at `session.audio.output.voice`\)"):
            async with open_session(profile_for(port)):
                pass


async def test_an_endpoint_that_stays_silent_is_given_up() -> None:
    """Neither the greeting nor the confirmation is waited for without end."""

    async def script(peer: Peer) -> None:
        await peer.to_the_end()

    async with serving(script) as (port, _):
        profile = profile_for(port)
        hasty = profile.model_copy(update={"endpoint": profile.endpoint.model_copy(update={"connect_timeout_s": 0.2})})
        with pytest.raises(EndpointUnreachable, match=r"session\.created"):
            async with open_session(hasty):
                pass


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1001, "Your session hit the maximum duration of 60 minutes.", EndpointBusy),
        (1000, "", EndpointUnreachable),
        (1008, "no", ProtocolError),
    ],
)
async def test_a_close_that_nobody_asked_for_is_no_success(code: int, reason: str, error: type[Exception]) -> None:
    """Whoever waits for events or for an answer is told why the session ended."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hel", end=False)
        await peer.close(code, reason)
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        events = session.events()
        await session.say("Hello")
        with pytest.raises(error):
            await session.wait_answered()
        with pytest.raises(error):
            async for _event in events:
                pass
        with pytest.raises(error):
            await anext(session.effects())
        with pytest.raises(error):
            await session.say("still there?")


async def test_a_fatal_error_event_ends_the_session() -> None:
    """The code of an error event counts even if the endpoint forgets to close."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.send({"type": "error", "error": {"type": "x", "code": "session_expired", "message": "time is up"}})
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port)) as session:
            await session.say("Hello")
            await session.wait_over()
            assert isinstance(session.failure, EndpointBusy)
        assert peers[0].close_code == 1000


async def test_an_error_of_the_caller_passes_unwrapped() -> None:
    """The body's own exception leaves `open_session` as it is, and the session is closed."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        with pytest.raises(KeyError, match="mine"):
            async with open_session(profile_for(port)):
                raise KeyError("mine")
        assert peers[0].close_code == 1000


async def test_a_cancelled_caller_leaves_a_closed_connection() -> None:
    """Cancelling the body closes the session politely and in bounded time."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        with anyio.CancelScope() as scope:
            async with open_session(profile_for(port)):
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        with anyio.fail_after(PATIENCE_S):
            await peers[0].closed.wait()
        assert peers[0].close_code == 1000


async def test_the_common_events_have_methods() -> None:
    """`respond`, `update`, `cancel` and `send` put the API's events on the wire."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hel", end=False)
        await peer.until("response.cancel")
        await peer.end("Hel", status="cancelled")
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port)) as session:
            await session.cancel()
            await session.respond(instructions="Be brief.", metadata={"topic": "x"})
            await session.update(instructions="Be long.")
            await session.send(ResponseCancel(type="response.cancel"))
            await session.wait_answered()
        _, respond, update, cancel = peers[0].received
        assert respond["response"] == {"instructions": "Be brief.", "metadata": {"topic": "x"}}
        assert update["session"] == {"type": "realtime", "instructions": "Be long."}
        assert cancel["type"] == "response.cancel"
        assert len({each["event_id"] for each in peers[0].received}) == 4


@pytest.mark.parametrize("event", [{}, {"type": 3}, {"type": "x", "data": object()}, {"type": "x", "data": b"bytes"}])
async def test_what_is_no_event_is_refused_before_the_wire(event: dict[str, Any]) -> None:
    """A caller's mistake is an `IllegalEvent`, and the session goes on."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port)) as session:
            with pytest.raises(IllegalEvent):
                await session.send(event)
            await session.send({"type": "input_audio_buffer.clear", "half": "\ud83d"})
        assert [each["type"] for each in peers[0].received] == ["session.update", "input_audio_buffer.clear"]


async def test_a_reader_that_never_reads_costs_a_bounded_amount() -> None:
    """Events that nobody reads are dropped past a limit, and the loss is told, not hidden."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        for _ in range(100):
            await peer.send({"type": "response.output_audio.delta", "delta": "A" * 100})
        await peer.answer("done")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        events = session.events(max_bytes=2000)
        await session.say("Hello")
        await session.wait_answered()
        with pytest.raises(RunnerError, match="more than 2000 bytes of events waited to be read"):
            async for _event in events:
                pass


async def test_messages_that_are_no_events_are_survived_up_to_a_point() -> None:
    """A few broken messages are logged; a peer that sends nothing else is given up."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("{", "[]", "nul")
        await peer.until("response.create")
        await peer.answer("fine")
        await peer.send(*["{"] * pump.MAX_MALFORMED_MESSAGES)
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        await session.say("Hello")
        await session.wait_answered()
        await session.wait_over()
        assert isinstance(session.failure, ProtocolError)


async def test_the_preview_dialect_is_translated_at_the_edge() -> None:
    """A preview server gets and sends its own words; the caller sees the current protocol only."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "session": {"id": "s", "modalities": ["text"]}})
        update = await peer.until("session.update")
        assert update["session"] == {"modalities": ["text"], "turn_detection": None}
        await peer.send({"type": "session.updated", "session": {"id": "s", **update["session"]}})
        await peer.until("response.create")
        await peer.send({"type": "response.created", "response": {"id": "r", "conversation_id": "c"}})
        ids = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
        await peer.send({"type": "response.text.delta", "delta": "old", **ids})
        item = {"id": "i", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "old"}]}
        await peer.send({"type": "response.done", "response": {"id": "r", "status": "completed", "output": [item]}})
        await peer.to_the_end()

    async with serving(script) as (port, _):
        endpoint = {"kind": "azure", "base_url": f"http://127.0.0.1:{port}", "api_version": "2025-04-01-preview"}
        session_table = {"output_modalities": ["text"], "audio": {"input": {"turn_detection": "none"}}}
        profile = profile_for(port, endpoint=endpoint, auth={"kind": "none"}, session=session_table)
        async with open_session(profile) as session:
            events = session.events()
            await session.say("Hello")

            assert await texts(events, answers=1) == ["old"]
            assert session.state.effective["output_modalities"] == ["text"]


async def test_an_answer_is_awaited() -> None:
    """The text of the whole answer, once it is complete; the next question has an answer of its own."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(2):
            await peer.until("response.create")
            await peer.answer("answer ", str(number), response_id=f"resp_{number}", item_id=f"item_{number}")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        assert [await session.ask("question 0"), await session.ask("question 1")] == ["answer 0", "answer 1"]


async def test_questions_asked_at_once_get_their_own_answers() -> None:
    """Each answer is that of its question, in whatever order they are awaited."""
    answers: dict[str, str] = {}

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(5):
            await peer.until("response.create")
            text = peer.received[-2]["item"]["content"][0]["text"]
            await peer.answer(f"to {text}", response_id=f"resp_{number}", item_id=f"item_{number}")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:

        async def ask(question: str) -> None:
            answers[question] = await session.ask(question)

        async with anyio.create_task_group() as tasks:
            for each in "abcde":
                tasks.start_soon(ask, each)

    assert answers == {each: f"to {each}" for each in "abcde"}


async def test_a_response_that_nobody_asked_for_is_no_answer() -> None:
    """One out of band, or one that turn detection makes, comes before the answer and is not taken for it."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        aside = {"id": "aside", "conversation_id": None}
        await peer.send({"type": "response.created", "response": aside})
        ids = {"response_id": "aside", "item_id": "item_aside", "content_index": 0}
        await peer.send({"type": "response.output_text.delta", "delta": "by the way", **ids})
        await peer.answer("the answer")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        await session.respond(conversation="none")
        assert await session.ask("Hello?") == "the answer"


async def test_an_answer_comes_in_pieces() -> None:
    """As the endpoint sends them, and before the answer is complete."""
    go_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hel", end=False)
        await go_on.wait()
        ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        await peer.send({"type": "response.output_text.delta", "delta": "lo", **ids})
        await peer.end("Hello")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        pieces = []
        async for piece in session.stream("Hello?"):
            pieces.append(piece)  # the first piece lets the second come
            go_on.set()

    assert pieces == ["Hel", "lo"]


async def test_an_answer_without_pieces_is_an_answer() -> None:
    """Some servers send the text at the end only."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("")
        await peer.to_the_end()

    async def whole(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer(end=False)
        await peer.end("all of it")
        await peer.to_the_end()

    for each, text in ((script, ""), (whole, "all of it")):
        async with serving(each) as (port, _), open_session(profile_for(port)) as session:
            assert await session.ask("Hello?") == text


@pytest.mark.parametrize("status", ["failed", "refused", "lost"])
async def test_a_question_without_an_answer_raises(status: str) -> None:
    """A response that failed, a request that was refused, and a connection that is lost for good."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        request = await peer.until("response.create")
        error = {"type": "server_error", "code": "x", "message": "no answer", "event_id": request["event_id"]}
        if status == "refused":
            await peer.send({"type": "error", "error": error})
        elif status == "failed":
            await peer.answer("Hel", end=False)
            await peer.end("Hel", status="failed", status_details={"error": error})
        if status != "lost":
            await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        with pytest.raises(RunnerError, match="no answer" if status != "lost" else "."):
            await session.ask("Hello?")


async def test_a_refusal_ends_only_the_question_that_it_refuses() -> None:
    """Of two that are asked at once, and beside a request out of band."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        aside = await peer.until("response.create")
        await peer.send({"type": "error", "error": {"type": "x", "message": "no aside", "event_id": aside["event_id"]}})
        first = await peer.until("response.create")
        await peer.send({"type": "error", "error": {"type": "x", "message": "not this", "event_id": first["event_id"]}})
        await peer.until("response.create")
        await peer.answer("the second answer")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        answers: list[str] = []

        async def ask_first() -> None:
            with pytest.raises(RunnerError, match="not this"):
                await session.ask("first")

        async def ask_second() -> None:
            answers.append(await session.ask("second"))

        await session.respond(conversation="none")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_first)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(ask_second)

        assert answers == ["the second answer"]


async def test_a_question_that_the_endpoint_does_not_take_has_no_answer() -> None:
    """A response that comes all the same answers something else."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        cause = next(each for each in peer.received if each["type"] == "conversation.item.create")
        error = {"type": "invalid_request_error", "message": "no such item", "event_id": cause["event_id"]}
        await peer.send({"type": "error", "error": error})
        await peer.answer("an answer to what was said before")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        with pytest.raises(RunnerError, match="no such item"):
            await session.ask("Hello?")


@pytest.mark.parametrize(
    ("pieces", "whole", "expected"),
    [
        (("Hel", "", "lo"), "Hello", ["Hel", "lo"]),
        (("", "Hello"), "Hello", ["Hello"]),
        (("a\ud83d", "\ude00b"), "a\U0001f600b", ["a", "\U0001f600b"]),
        (("Hel",), "Hello", ["Hel", "lo"]),
        ((), "Hello", ["Hello"]),
    ],
    ids=["empty piece", "empty first piece", "cut pair", "lost piece", "no piece"],
)
async def test_whatever_the_pieces_are_the_answer_is_whole(
    pieces: tuple[str, ...], whole: str, expected: list[str]
) -> None:
    """Empty ones, a character that is cut in two, and text that comes at the end only."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(2):
            await peer.until("response.create")
            ids = {"response_id": f"resp_{number}", "item_id": f"item_{number}"}
            await peer.answer(*pieces, **ids, end=False)
            await peer.end(whole, **ids)
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        assert await session.ask("Hello?") == whole
        assert [piece async for piece in session.stream("Hello?")] == expected


async def test_an_answer_whose_beginning_was_lost_is_an_answer() -> None:
    """Some servers leave `response.created` out."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.end("all of it")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        assert await session.ask("Hello?") == "all of it"


@pytest.mark.parametrize("profile", [{}, None, 5, ["local"]])
async def test_what_is_no_profile_is_named(profile: Any) -> None:
    """With the way to make one."""
    with pytest.raises(ProfileError, match=f"not from {type(profile).__name__}") as refused:
        async with open_session(profile):
            pass
    assert "make_profile" in refused.value.hint


@pytest.mark.parametrize("text", [5, None, b"Hello", "half \ud83d"])
async def test_what_is_no_text_is_no_question(text: Any) -> None:
    """It is refused before anything is sent."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port)) as session:
            for ask in (session.ask, session.say):
                with pytest.raises(IllegalEvent, match="a question is"):
                    await ask(text)
        assert [each["type"] for each in peers[0].received] == ["session.update"]


async def test_a_question_that_is_cancelled_before_its_retry_ends_with_nothing() -> None:
    """Its response failed for a reason that may pass, and the client will not have it retried."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hel", end=False)
        error = {"type": "server_error", "code": "server_error", "message": "busy"}
        await peer.end("Hel", status="failed", status_details={"error": error})
        await peer.to_the_end()

    run = {"max_response_retries": 3, "reconnect": {"initial_delay_s": 60, "max_delay_s": 60}}
    async with serving(script) as (port, _), open_session(profile_for(port, run=run)) as session:
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await session.ask("Hello?"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            while not session.state.retries:
                await session.changes.next()
            await session.cancel()

        assert answers == [""]


async def test_a_close_that_is_cancelled_is_an_end() -> None:
    """Whoever asks afterwards is refused, and does not wait for ever."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await anyio.sleep_forever()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await session.aclose()
        assert session.is_over
        with pytest.raises(IllegalEvent, match="closed"):
            await session.ask("Hello?")


async def test_a_question_that_is_cancelled_ends_with_what_came() -> None:
    """Cancelling the response is no failure."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hel", end=False)
        await peer.until("response.cancel")
        await peer.end("Hel", status="cancelled")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        async with anyio.create_task_group() as tasks:
            answers = []

            async def ask() -> None:
                answers.append(await session.ask("Hello?"))

            tasks.start_soon(ask)
            effects = session.effects()
            async for effect in effects:
                if isinstance(effect, TextDelta):
                    await session.cancel()
                    break

        assert answers == ["Hel"]


async def test_what_a_program_lets_go_of_is_kept_no_longer() -> None:
    """A loop that is left, an answer that is not read to its end: no reader of theirs stays behind."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("Hello ", "you")
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        async with aclosing(session.stream("Hello?")) as pieces:
            async for _piece in pieces:
                break
        events = session.events()
        events.close()
        del events
        assert list(session._carriage.readers) == []
        with pytest.raises(StopAsyncIteration):
            await anext(closed(session))


def closed(session: Session) -> Subscription[Effect]:
    """A subscription that the program has closed."""
    effects = session.effects()
    effects.close()
    return effects


async def test_effects_end_with_the_session() -> None:
    """The last one says so, and a later subscription ends at once."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _), open_session(profile_for(port)) as session:
        effects = session.effects()
        await session.aclose()

        assert [effect async for effect in effects] == [SessionEnded()]
        assert [effect async for effect in session.effects()] == []


async def test_audio_that_waits_for_a_connection_has_an_id() -> None:
    """`send` promises the id of the event, which goes out under it on the next connection."""
    event_ids: list[str] = []
    is_open, has_appended = anyio.Event(), anyio.Event()

    async def cut(peer: Peer) -> None:
        await peer.greet()
        await is_open.wait()

    async def attentive(peer: Peer) -> None:
        await has_appended.wait()
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        await peer.to_the_end()

    reconnect = {"initial_delay_s": 0.05, "max_delay_s": 0.05, "max_attempts": 3, "max_audio_age_s": 60}
    async with serving(in_turn(cut, attentive)) as (port, peers):
        async with open_session(profile_for(port, run={"reconnect": reconnect})) as session:
            is_open.set()
            while session.link is not None:
                await session.changes.next()
            append = {"type": "input_audio_buffer.append", "audio": "AAAA"}
            event_ids += [await session.send(append), await session.send({**append, "event_id": 'my "own"'})]
            has_appended.set()
            await session.wait_idle()

        assert event_ids[0]
        assert event_ids[1] == 'my "own"'
        assert [each["event_id"] for each in peers[1].received if each["type"] == append["type"]] == event_ids
