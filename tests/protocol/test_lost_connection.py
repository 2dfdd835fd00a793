"""What a lost connection leaves to the next one."""

from typing import Any

import pytest

from runner.protocol.connection_end import end_connection
from runner.protocol.effects import ResponseEnded, ResponseRetried, TurnEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from tests.protocol.test_pending import ASIDE, COMMITTED, STARTED, STOPPED, VAD, created, done

CREATE = {"type": "response.create"}
DELTA = {"type": "response.output_text.delta", "item_id": "item_1", "content_index": 0, "delta": "Hel"}


def state(detection: dict[str, Any] | None = None, *, retries: int = 2, retries_lost: bool = True) -> SessionState:
    """A configured session that asks again."""
    made = SessionState(max_response_retries=retries, retries_lost=retries_lost)
    update = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    made.send({"type": "session.update", "session": update})
    receive(made, {"type": "session.updated", "session": update})
    return made


def said(text: str, item_id: str = "item_u") -> dict[str, Any]:
    """The user's turn, with or without words."""
    content = [{"type": "input_audio", "transcript": text or None}]
    return {
        "type": "conversation.item.added",
        "item": {"id": item_id, "type": "message", "role": "user", "content": content},
    }


def again(of: SessionState) -> list[tuple[dict[str, Any], int]]:
    """The requests to be sent again, and how often each has failed."""
    return [(each.event, each.failures) for each in of.pending.to_retry]


def half(of: SessionState) -> None:
    """Half an answer."""
    of.send(CREATE)
    receive(of, created())
    receive(of, {**DELTA, "response_id": "resp_1"})


def test_all_that_was_asked_for_is_pending() -> None:
    """In flight or not begun, in the conversation and out of band; a commit is not."""
    lost = state()
    for event in (ASIDE, CREATE):
        lost.send(event)
    receive(lost, created("resp_2", conversation_id=None))
    lost.send(ASIDE)
    lost.send({"type": "input_audio_buffer.commit"})
    end_connection(lost)

    assert again(lost) == [(ASIDE, 1), (CREATE, 1), (ASIDE, 1)]
    assert (lost.unanswered, lost.busy, lost.pending.requests) == ([], True, [])


def test_where_nothing_is_asked_again_all_is_unanswered() -> None:
    """And the half that was said stays, as it was heard."""
    lost = state(retries_lost=False)
    half(lost)

    assert end_connection(lost) == [TurnEnded("assistant", "Hel", "item_1", "incomplete")]
    assert [each.event for each in lost.unanswered] == [CREATE]
    assert again(lost) == []
    assert [each.status for each in lost.conversation.items] == ["incomplete"]


def test_the_half_of_an_answer_that_comes_again_is_forgotten() -> None:
    """Its items that were finished too, announced or not."""
    lost = state()
    half(lost)
    call = {"id": "item_2", "type": "function_call", "call_id": "1", "status": "completed"}
    receive(lost, {"type": "response.output_item.done", "response_id": "resp_1", "item": call})
    receive(lost, said("kept"))
    end_connection(lost)

    assert [each.id for each in lost.conversation.items] == ["item_u"]


@pytest.mark.parametrize(("failures", "given_up"), [(0, False), (1, False), (2, True)])
def test_what_was_lost_too_often_is_given_up(failures: int, given_up: bool) -> None:
    """Failures count over connections; what was said of it stays then."""
    lost = state()
    for number in range(failures):
        half(lost)
        end_connection(lost)
        assert again(lost) == [(CREATE, number + 1)]
        before, lost = lost, state()
        lost.pending.to_retry = before.pending.to_retry
    half(lost)
    end_connection(lost)

    assert ([], [CREATE])[given_up] == [each.event for each in lost.unanswered]
    assert len(lost.conversation) == given_up


@pytest.mark.parametrize("words", ["hello", ""])
@pytest.mark.parametrize("begun", [True, False])
def test_a_turn_is_answered_anew_if_its_words_are_known(words: str, begun: bool) -> None:
    """Audio is gone with its connection; an answer to the turn before it would be worse than none."""
    lost = state(VAD)
    for event in (STARTED, STOPPED, COMMITTED, said(words)):
        receive(lost, event)
    if begun:
        receive(lost, created())
        receive(lost, {**DELTA, "response_id": "resp_1"})
    end_connection(lost)

    assert again(lost) == ([(CREATE, 1)] if words else [])
    assert len(lost.unanswered) == (not words)


def test_the_end_of_another_connection_ends_no_answer_of_this_one() -> None:
    """Two overlap while one takes over from the other, and the conversation is one."""
    old = state()
    new = SessionState(old, retries_lost=True, max_response_retries=2)
    half(new)

    assert end_connection(old) == []
    assert [each.text for each in new.conversation.items] == ["Hel"]
    assert [each.text for each in receive(new, done(text="Hello")) if isinstance(each, TurnEnded)] == ["Hello"]


def test_the_next_connection_knows_of_the_session() -> None:
    """Conversation, usage and limits are the same; what the endpoint says is its own."""
    first = state()
    receive(first, said("hello"))
    second = SessionState(first)

    assert second.conversation is first.conversation
    assert second.usage is first.usage
    assert second.rate_limits is first.rate_limits
    assert (second.phase, second.effective, second.busy) == ("connecting", {}, False)
    assert second.configuration.asked == first.configuration.asked != {}
    ids = [each.send({"type": "input_audio_buffer.clear"})["event_id"] for each in (first, second, first, second)]
    assert len(set(ids)) == 4


def test_only_what_was_granted_is_asked_of_the_next() -> None:
    """A refused update leaves nothing behind, an unanswered one not yet."""
    first = state()
    updates: list[dict[str, Any]] = [{"instructions": "a"}, {"instructions": "b"}, {"tools": []}]
    sent = [first.send({"type": "session.update", "session": {"type": "realtime", **each}}) for each in updates]
    moments = [first.quiet]
    error = {"type": "x", "message": "no", "event_id": sent[1]["event_id"]}
    receive(first, {"type": "session.updated", "session": {}})
    receive(first, {"type": "error", "error": error})

    assert first.configuration.asked["instructions"] == "a"
    assert "tools" not in SessionState(first).configuration.asked
    receive(first, {"type": "session.updated", "session": {}})
    assert first.configuration.asked["tools"] == []
    assert [*moments, first.quiet] == [False, True]


def test_a_moment_is_quiet_when_nothing_would_be_lost() -> None:
    """An answer, a transcription, audio that only the client can commit."""
    here = state()
    moments = [here.quiet]
    here.send({"type": "input_audio_buffer.append"})
    moments.append(here.quiet)
    receive(here, {"type": "input_audio_buffer.committed", "item_id": "i"})
    moments.append(here.quiet)
    here.send(CREATE)
    moments.append(here.quiet)
    receive(here, done())
    assert [*moments, here.quiet] == [True, False, True, False, True]

    detecting = state(VAD)
    detecting.send({"type": "input_audio_buffer.append"})
    moments = [detecting.quiet]
    receive(detecting, STARTED)
    assert [*moments, detecting.quiet] == [True, False]


@pytest.mark.parametrize(("code", "is_retried"), [("server_error", True), ("invalid_value", False)])
@pytest.mark.parametrize("refused", [True, False])
def test_a_response_that_fails_for_a_while_is_asked_again(code: str, is_retried: bool, refused: bool) -> None:
    """Refused or begun, as often as is allowed; a lasting failure is reported at once."""
    here = state()
    for failures in range(3):
        sent = here.send(CREATE)
        error = {"type": "x", "code": code, "message": "no"}
        if refused:
            effects = receive(here, {"type": "error", "error": {**error, "event_id": sent["event_id"]}})
        else:
            receive(here, created())
            details = {"type": "failed", "error": error}
            effects = receive(here, done(status="failed", output=[], status_details=details))
        if is_retried and failures < 2:
            assert isinstance(effects[-1], ResponseRetried)
            assert again(here) == [(CREATE, failures + 1)]
            assert (here.busy, here.pending.occupied) == (True, False)
        else:
            assert isinstance(effects[-1], ResponseEnded)
            assert not here.busy


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}, {"id": "mine"}])
def test_an_item_that_we_create_has_an_id(given: dict[str, Any]) -> None:
    """Under which every connection knows it; the caller's event is not changed."""
    here = state()
    item = {"type": "message", "role": "user", **given}
    event: dict[str, Any] = {"type": "conversation.item.create", "item": item}
    before = {**event, "item": {**item}}

    ids = {here.send(event)["item"]["id"] for _ in range(2)}

    assert event == before
    assert ids == {"mine"} if given.get("id") else len(ids) == 2
    assert {each.id for each in here.conversation.items} == ids


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, "audio/pcm"),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, "audio/pcmu"),
        ({"audio": {"output": {"format": "pcm16"}}}, "audio/pcm"),
        ({"audio": {"output": {"format": {"type": 5}}}}, "audio/pcm"),
        ({"audio": []}, "audio/pcm"),
        ({"output_audio_format": "g711_ulaw"}, "audio/pcmu"),
    ],
)
def test_the_format_of_the_audio(session: dict[str, Any], expected: str) -> None:
    """As far as it can be read."""
    here = SessionState()
    receive(here, {"type": "session.updated", "session": session})

    assert here.configuration.output_format.encoding == expected


def test_a_call_without_a_status_is_finished_when_its_item_is() -> None:
    """Some servers say it by the event only."""
    here = state()
    here.send(CREATE)
    receive(here, created())
    call = {"id": "item_2", "type": "function_call", "call_id": "1"}
    receive(here, {"type": "response.output_item.added", "response_id": "resp_1", "item": call})
    statuses: list[str] = [here.conversation.by_id["item_2"].status]
    receive(here, {"type": "response.output_item.done", "response_id": "resp_1", "item": call})

    assert [*statuses, here.conversation.by_id["item_2"].status] == ["in_progress", "completed"]


def test_an_item_said_to_follow_itself_breaks_nothing() -> None:
    """Whatever the endpoint sends, `receive` returns."""
    here = state()
    item = {"id": "i", "type": "message", "role": "user", "content": []}
    here.send({"type": "conversation.item.create", "item": item})

    receive(here, {"type": "conversation.item.added", "previous_item_id": "i", "item": item})

    assert [each.id for each in here.conversation.items] == ["i"]
