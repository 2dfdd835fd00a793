"""The text of an item: pieces, whole texts, and what one says of the other."""

from itertools import accumulate
from typing import Any

import pytest

from runner.protocol.effects import (
    Effect,
    ResponseStarted,
    TextCorrected,
    TextDelta,
    TurnEnded,
)
from runner.protocol.item import corrections
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.protocol.unread_events import EventMalformed

SNAPSHOTS, MISSING, OTHER = "pieces repeat what came before", "pieces missing", "other words"
WHERE: dict[str, Any] = {"response_id": "r", "item_id": "i", "content_index": 0}
CREATED = {"type": "response.created", "response": {"id": "r"}}
DONE: dict[str, Any] = {"type": "response.done", "response": {"id": "r", "status": "completed"}}


def pieces(*texts: str) -> list[dict[str, Any]]:
    """Pieces of the answer."""
    return [{"type": "response.output_text.delta", **WHERE, "delta": each} for each in texts]


def whole(text: Any) -> dict[str, Any]:
    """The whole text of the answer."""
    return {"type": "response.output_text.done", **WHERE, "text": text}


def told(state: SessionState, *events: dict[str, Any], is_begun: bool = True) -> list[Effect]:
    """What an answer of these events means."""
    state.send({"type": "response.create"})
    return [each for event in [*([CREATED] if is_begun else []), *events, DONE] for each in receive(state, event)]


def turns(effects: list[Effect]) -> list[str]:
    """The turns of the transcript."""
    return [each.text for each in effects if isinstance(each, TurnEnded)]


def shown(effects: list[Effect]) -> str:
    """What streams."""
    return "".join(each.text for each in effects if isinstance(each, TextDelta))


@pytest.mark.parametrize(
    ("texts", "end", "expected"),
    [
        (["no", "no"], "nono", []),
        (["ha", "haha"], "hahaha", []),
        (["a", "ab", "abc"], "aababc", []),
        (["Hello "], "Hello", []),
        (["The", "The quick", "The quick fox"], "The quick fox", [SNAPSHOTS]),
        (["ha", "haha"], "haha", [SNAPSHOTS]),
        (["", "The", "The", "The quick"], "The quick fox", [SNAPSHOTS]),
        (["Hel"], "Hello", [MISSING]),
        (["Hel", "lp"], "Hello", [OTHER]),
        ([], "Hello", []),
    ],
)
def test_the_whole_text_says_what_its_pieces_were(texts: list[str], end: str, expected: list[str]) -> None:
    """A piece that happens to repeat what came before is a piece, unless the whole text says otherwise."""
    effects = told(SessionState(), *pieces(*texts), whole(end))

    assert turns(effects) == [end]
    assert [each.reason for each in effects if isinstance(each, TextCorrected)] == expected
    assert shown(effects) == (end if expected == [MISSING] else "".join(texts))


def test_an_endpoint_that_is_known_for_snapshots_is_read_as_one() -> None:
    """From its second answer on; and a piece that does not repeat what came before is one like any other."""
    state = SessionState()
    told(state, *pieces("The", "The quick"), whole("The quick"))

    seen = [*accumulate(["A ", "slow ", "fox"])]
    for number, (texts, text) in enumerate([(seen, "A slow fox"), (["no", "no", " more"], "nono more")]):
        events = [{**each, "item_id": f"i{number}"} for each in (*pieces(*texts), whole(text))]
        effects = told(state, *events)
        assert turns(effects) == [text]
        assert shown(effects) in (text, "no more")


def test_what_only_the_end_says_is_said() -> None:
    """In one event or in several, with or without a beginning, and with a name or without."""
    ways: list[list[dict[str, Any]]] = [
        [whole("One two three.")],
        [whole("One "), whole("two "), whole("three.")],
        [{"type": "response.output_audio_transcript.done", **WHERE, "transcript": "One two three."}],
        [{"type": "response.content_part.done", **WHERE, "part": {"type": "text", "text": "One two three."}}],
        [{"type": "response.text.done", **WHERE, "text": "One two three."}],
        [{"type": "response.output_text.done", "text": "One two three."}],
        [{"type": "response.output_text.delta", "delta": "One two three."}],
        [*pieces("One ", "two "), whole("One two "), *pieces("three."), whole("three.")],
        [*pieces("One "), whole("One "), *pieces("two "), whole("One two three.")],
        [whole("One two three."), whole("One two three.")],
        [
            {"type": "response.output_text.delta", "response_id": "r", "delta": "One two "},
            {"type": "response.output_item.done", "response_id": "r", "item": {"id": "x", "type": "message",
             "role": "assistant", "content": [{"type": "output_text", "text": "One two three."}]}},
        ],
    ]  # fmt: skip
    for way in ways:
        state = SessionState()
        assert turns(told(state, *way)) == ["One two three."], way
        assert [each.text for each in state.conversation.items] == ["One two three."], way
        assert not state.is_pending


def test_a_response_that_nothing_announces_begins_with_its_first_piece() -> None:
    """And only where one was asked for, and it is not one that has ended."""
    state = SessionState()
    effects = told(state, *pieces("Hello"), is_begun=False)

    assert isinstance(effects[0], ResponseStarted)
    assert turns(effects) == ["Hello"]
    state.send({"type": "response.create"})
    late = receive(state, pieces("late")[0])
    assert isinstance(late[0], EventMalformed)
    assert late[0].problem == "it came after the end of its response"
    assert not state.pending.active


def test_what_comes_after_the_end_of_its_item_is_late() -> None:
    """The turn was reported without it; the same words again are nothing new."""
    item = {"id": "i", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    done = {"type": "response.output_item.done", "response_id": "r", "item": item}

    effects = told(SessionState(), *pieces("Hel", "lo"), done, whole("Hello"))
    assert not any(isinstance(each, EventMalformed) for each in effects)
    for more in (pieces(" again")[0], whole("Hello again")):
        effects = told(SessionState(), *pieces("Hel", "lo"), done, more)
        assert [each.problem for each in effects if isinstance(each, EventMalformed)] == [
            "it came after the end of its item"
        ]


@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("way", [pieces("Hel", "lo"), [whole("Hello")]])
def test_ids_that_come_again_are_other_answers(way: list[dict[str, Any]], is_announced: bool) -> None:
    """Some servers have one id for all of them; the conversation keeps every answer."""
    state = SessionState()
    item = {"id": "i", "type": "message", "role": "assistant", "content": []}
    added = [{"type": "response.output_item.added", "response_id": "r", "item": item}] if is_announced else []

    assert [turns(told(state, *added, *way)) for _ in range(3)] == [["Hello"]] * 3
    assert [each.text for each in state.conversation.items] == ["Hello"] * 3


@pytest.mark.parametrize(
    "events",
    [
        pieces("Hello"),
        [whole("Hello")],
        [*pieces("Hel"), whole("Hello")],
        [{"type": "response.output_item.done", "response_id": "r", "item": {"id": "i", "type": "message", "content":
          [{"type": "output_text", "text": "Hello"}]}}],
    ],
)  # fmt: skip
def test_what_is_said_out_of_band_is_shown_and_no_part_of_the_conversation(events: list[dict[str, Any]]) -> None:
    """Whatever event brings it; nothing of it is kept."""
    state = SessionState()
    state.send({"type": "response.create", "response": {"conversation": "none"}})
    created = {"type": "response.created", "response": {"id": "r", "conversation_id": None}}
    effects = [each for event in [created, *events, DONE] for each in receive(state, event)]

    assert shown(effects) == "Hello"
    assert turns(effects) == []
    assert not state.conversation.items
    assert not state.aside.items
    assert not state.is_pending


def test_a_flood_of_responses_is_bounded() -> None:
    """The oldest are forgotten; so are the audio and the transcripts that never end."""
    state = SessionState()
    receive(state, {"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": "x"}}}}})
    for number in range(3000):
        receive(state, {"type": "response.created", "response": {"id": f"r{number}"}})
        receive(state, {"type": "input_audio_buffer.committed", "item_id": f"i{number}"})
        delta = {"type": "conversation.item.input_audio_transcription.delta", "item_id": f"i{number}", "delta": "x"}
        receive(state, delta)

    assert len(state.pending.active) == 1024
    assert "r2999" in state.pending.active
    assert len(state.pending.transcribing) == 1024
    assert state.transcripts.end("i2999") == ["x"]
    assert state.transcripts.end("i0") == []


def test_pieces_without_a_whole_text_are_what_they_are() -> None:
    """Nothing is judged where nothing judges."""
    assert turns(told(SessionState(), *pieces("The", "The quick"))) == ["TheThe quick"]
    assert corrections([], "Hello", "i", "r") == []
