"""What is written down of a session is what another process restores."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from runner.protocol.effects import Effect
from runner.protocol.item import Item
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.resume.opened_state import header_of
from runner.resume.restoration import restore
from runner.resume.saved_state import SavedState, content_of, line
from runner.resume.snapshot import Snapshot
from runner.resume.state_model import CallProgress, SavedWork, StateChange

HEADER = header_of("support", {})


class Written:
    """A session, what is written down of it, and what another process reads of that."""

    def __init__(self, saved: SavedState | None = None) -> None:
        self.state = SessionState(max_response_retries=2, retries_lost=True)
        self.state.rounds.runs = lambda _: True
        self.saved = saved or SavedState(HEADER)
        self.snapshot = Snapshot(self.saved)
        self.read = SavedState(HEADER)
        self.lines: list[dict[str, Any]] = []
        self.calls: dict[str, CallProgress] = {}
        if saved:
            self.read.take(saved.whole())
            restored = self.state
            restore(saved, restored)
            self.snapshot.know(restored)
            self.state = SessionState(restored, max_response_retries=2, retries_lost=True)
            self.state.inherit_retries(restored)

    def write(self, **told: Any) -> dict[str, Any]:
        """Write what has changed, as the file has it; nothing where nothing has."""
        amounts = {name: amount for name, amount in asdict(self.state.usage).items() if amount}
        change = self.snapshot.change(self.state, self.calls, usage={"own": amounts} if amounts else {}, **told)
        if change is None:
            return {}
        data = line(change)
        self.read.take(StateChange.model_validate_json(content_of(data.rstrip())))
        return {key: value for key, value in json.loads(data).items() if key not in {"at_s", "crc"}}

    def hear(self, *events: dict[str, Any]) -> list[Effect]:
        """Take in events of the endpoint, and write after each."""
        effects = []
        for each in events:
            effects += receive(self.state, each)
            self.write()
        return effects

    def resumed(self) -> "Written":
        """Another process, which goes on with what was read."""
        return Written(self.read)


def created(item_id: str, text: str, previous: str | None = None, role: str = "user") -> dict[str, Any]:
    """The endpoint has an item now."""
    content = [{"type": "input_text" if role == "user" else "output_text", "text": text}]
    item = {"id": item_id, "type": "message", "role": role, "status": "completed", "content": content}
    return {"type": "conversation.item.created", "previous_item_id": previous, "item": item}


def begun(response_id: str) -> dict[str, Any]:
    """A response begins."""
    return {"type": "response.created", "response": {"id": response_id, "conversation_id": "conv"}}


def item_done(response_id: str, item: dict[str, Any]) -> dict[str, Any]:
    """An item of a response is whole."""
    return {"type": "response.output_item.done", "response_id": response_id, "item": {"status": "completed", **item}}


def over(response_id: str, *output: dict[str, Any], tokens: int = 5) -> dict[str, Any]:
    """A response is over."""
    usage = {"input_tokens": tokens, "output_tokens": tokens}
    response = {"id": response_id, "status": "completed", "conversation_id": "conv", "output": [*output]}
    return {"type": "response.done", "response": {**response, "usage": usage}}


def message(item_id: str, text: str) -> dict[str, Any]:
    """What an answer says."""
    content = [{"type": "output_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "assistant", "content": content}


def call(item_id: str, name: str = "pay") -> dict[str, Any]:
    """A call of a function."""
    return {"id": item_id, "type": "function_call", "call_id": f"call_{item_id}", "name": name, "arguments": "{}"}


def texts(state: SessionState | SavedState) -> list[tuple[str, str]]:
    """The items of a conversation, each with its text."""
    if isinstance(state, SavedState):
        return [(each.id, "".join(each.texts.values())) for each in state.items.values()]
    return [(each.id, each.text) for each in state.conversation.items]


def looks(item: Item) -> tuple[object, ...]:
    """All that is known of an item."""
    names = [name for name in Item.__slots__ if name not in {"parts", "wholes", "asked_by"}]
    return item.texts, *(getattr(item, name) for name in names)


def test_every_change_of_a_conversation_is_written_once() -> None:
    """Items that come, go, are put between others, are cut and are spoken over; and nothing where nothing changes."""
    run = Written()
    run.hear(created("a", "one"), created("c", "three", "a"), created("b", "two", "a"))
    assert texts(run.read) == texts(run.state) == [("a", "one"), ("b", "two"), ("c", "three")]
    assert run.write() == {}

    run.state.conversation.by_id["c"].heard_ms = 120
    assert [each["heard_ms"] for each in run.write()["items"]] == [120]
    run.hear({"type": "conversation.item.deleted", "item_id": "a"})
    assert list(run.read.items) == ["b", "c"]
    run.hear(created("said", ""))
    assert run.write() == {}
    run.hear(
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "said", "transcript": "four"},
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "said", "transcript": "five"},
    )

    assert texts(run.read) == [("b", "two"), ("c", "three"), ("said", "fourfive")]
    # What an odd endpoint adds to an item that is over.
    late = {"type": "response.output_text.delta", "response_id": "r", "item_id": "b", "content_index": 1}
    run.hear({**late, "delta": " and"}, {**late, "delta": " a half"})
    assert texts(run.read)[0] == ("b", "two and a half")
    again = run.resumed()
    assert [looks(each) for each in again.state.conversation.items] == [
        looks(each) for each in run.state.conversation.items
    ]
    assert again.write() == {}


def test_what_was_in_flight_is_asked_again_and_what_was_done_is_not() -> None:
    """A process that ends is a connection that is lost: the half of an answer goes, its question stays."""
    run = Written()
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Why?"}]}
    run.state.send({"type": "conversation.item.create", "event_id": "e1", "item": {"id": "q", **question}})
    run.state.send({"type": "response.create", "event_id": "e2", "response": {"tool_choice": "none"}}, at_s=7.0)
    assert [each["event_id"] for each in run.write()["work"]["requests"]] == ["e2"]
    run.hear(begun("r1"), item_done("r1", message("m1", "Because")))
    assert list(run.read.items) == ["q", "m1"]

    again = run.resumed()
    assert texts(again.state) == [("q", "Why?")]
    (retry,) = again.state.retries
    assert (retry.event, retry.first_id, retry.failures, retry.at_s) == (
        {"type": "response.create", "response": {"tool_choice": "none"}}, "e2", 1, 7.0,
    )  # fmt: skip
    # Written down, it is as due as before; and the end of a third process gives it up.
    again.write()
    assert [each.failures for each in again.resumed().state.retries] == [1]
    again.state.pending.to_retry.clear()
    again.state.pending.requests.append(retry)
    again.write()
    third = again.resumed()
    third.state.pending.requests.append(third.state.pending.to_retry.pop())
    third.write()
    assert third.resumed().state.retries == ()

    run.hear(over("r1", message("m1", "Because.")))
    finished = run.resumed()
    assert texts(finished.state) == [("q", "Why?"), ("m1", "Because.")]
    assert (finished.state.retries, finished.state.usage) == ((), run.state.usage)
    assert finished.read.work == SavedWork()
    assert next(finished.state.sent.numbers) == 1


def test_calls_are_known_until_their_outputs_stand_in_the_conversation() -> None:
    """A round comes back with its calls, one is begun and one ended; the request that goes on counts their rounds."""
    run = Written()
    run.state.send({"type": "response.create", "event_id": "e1"})
    run.hear(begun("r1"), item_done("r1", call("a")))
    assert "a" not in run.read.items
    run.hear(item_done("r1", call("b")), over("r1"))
    assert list(run.read.items) == ["a", "b"]
    run.calls["a"] = CallProgress(begun_at_s=1.0)
    run.write()
    (round_,) = run.resumed().state.rounds.open
    assert [(each.call_id, each.name, each.item_id) for each in round_.calls] == [
        ("call_a", "pay", "a"),
        ("call_b", "pay", "b"),
    ]
    assert (round_.turn_id, round_.number, round_.goes_on) == ("e1", 1, True)

    run.calls["a"] = CallProgress(begun_at_s=1.0, outcome="ok", output="paid")
    assert run.write()["calls"]["a"]["output"] == "paid"
    for each in ("a", "b"):
        output = {"type": "function_call_output", "call_id": f"call_{each}", "output": "paid"}
        run.state.send({"type": "conversation.item.create", "item": {"id": f"{each}_out", **output}})
        run.write()
    assert (run.read.calls, run.calls) == ({}, {})
    run.state.rounds.follow(run.state.rounds.open[0], "go_on_1")
    run.state.send({"type": "response.create", "event_id": "go_on_1"})
    run.write()
    # The request has gone out, and the round is only still open because nobody has had time to end it.
    assert not run.read.work.rounds

    again = run.resumed()
    (retry,) = again.state.retries
    assert (retry.first_id, again.state.rounds.open) == ("e1", [])
    again.state.rounds.runs = lambda _: True
    again.state.send({"type": "response.create", "event_id": "e9"})
    again.hear(begun("r2"), item_done("r2", call("c")), over("r2"))
    assert [(each.turn_id, each.number) for each in again.state.rounds.open] == [("e1", 2)]


@pytest.mark.parametrize(("turn", "retries"), [("committed", 1), ("speaking", 0)])
def test_a_turn_that_turn_detection_has_heard_is_answered(turn: Any, retries: int) -> None:
    """What was said and committed is answered by the next process, where its words are known."""
    run = Written()
    run.hear(created("a", "What time is it?"))
    run.state.pending.turn = turn
    run.write()

    assert len(run.resumed().state.retries) == retries


def test_however_many_items_come_at_once_all_are_written_in_order() -> None:
    """Far more than may still change, once and again; of those that are far back, only what goes is looked at."""
    run = Written()
    for number in range(1000):
        receive(run.state, created(f"i{number}", f"text {number}"))
        if number % 400 == 0:
            run.write()
    run.hear(
        {"type": "conversation.item.deleted", "item_id": "i10"}, created("last", "text"), created("first", "a", "root")
    )

    assert texts(run.read) == texts(run.state)
    assert texts(run.resumed().state) == texts(run.state)
    assert run.write() == {}


def test_halves_of_surrogate_pairs_do_no_harm() -> None:
    """Some servers cut text there; JSON cannot hold it, and nothing else is lost with it."""
    run = Written()
    run.state.send({"type": "response.create", "event_id": "e1", "response": {"instructions": "\ud83d"}})
    run.hear(created("a", "A smile \ud83d"))

    assert texts(run.read) == [("a", "A smile \ufffd")]
    assert run.read.work.requests[0].event["response"] == {"instructions": "\ufffd"}


def test_what_is_too_large_loses_its_oldest_items_and_no_call() -> None:
    """The newest item and the calls that are to be answered stay, however little room there is."""
    run = Written()
    run.state.send({"type": "response.create", "event_id": "e1"})
    run.hear(begun("r1"), item_done("r1", call("a")), over("r1"))
    run.hear(*(created(f"i{number}", "x" * 100) for number in range(20)))
    gone = run.saved.cut(1200)
    run.snapshot.leave_out(gone)

    assert gone[:2] == ["i0", "i1"]
    assert list(run.saved.items) == ["a", *(f"i{number}" for number in range(len(gone), 20))]
    assert len(run.saved.lines()) <= 1200
    assert run.write() == {}
    run.hear(created("new", "y"))
    assert list(run.saved.items)[-1] == "new"
    assert run.saved.cut(10)[-1] == "i19"
    assert list(run.saved.items) == ["a", "new"]
