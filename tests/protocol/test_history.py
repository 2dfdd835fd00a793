"""History replay: what a new connection gets of the conversation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audio.format import FORMATS, PCM
from runner.protocol.conversation import Conversation
from runner.protocol.history import heard, replay
from runner.settings.continuity import History

ALL = History(max_items=4096, max_tokens=10_000_000)
PCM_100_MS = 48 * 100 * 4 // 3
"""Characters of base64."""


def message(item_id: str, *texts: str, role: str = "user", **fields: Any) -> dict[str, Any]:
    """A message of these parts; a part without text is audio without a transcript."""
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": each} if each else {"type": "input_audio", "transcript": None} for each in texts]
    return {"id": item_id, "type": "message", "role": role, "content": content, **fields}


def call(item_id: str, call_id: str, **fields: Any) -> dict[str, Any]:
    """A function's call."""
    return {
        "id": item_id, "type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}", **fields,
    }  # fmt: skip


def output(item_id: str, call_id: str) -> dict[str, Any]:
    """A function's output."""
    return {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": "7"}


def conversation(*items: dict[str, Any]) -> Conversation:
    """A conversation of these items."""
    made = Conversation()
    for each in items:
        made.put(each)
    return made


def told(made: Conversation, bounds: History = ALL) -> list[str]:
    """The ids of the items that are replayed."""
    return [each["item"]["id"] for each in replay(made, bounds)]


def test_turns_are_replayed_as_text_in_their_order() -> None:
    """Of the user, the system and the assistant, typed or spoken, with the content type that its role has."""
    spoken = {"type": "output_audio", "transcript": "hi"}
    made = conversation(
        message("s", "Be brief.", role="system"),
        message("u", "hello", " there"),
        {"id": "a", "type": "message", "role": "assistant", "content": [spoken]},
        call("c", "call_1"),
        output("o", "call_1"),
    )

    assert replay(made, ALL) == [
        {"type": "conversation.item.create", "item": each}
        for each in (
            message("s", "Be brief.", role="system"),
            message("u", "hello", " there"),
            message("a", "hi", role="assistant"),
            call("c", "call_1"),
            output("o", "call_1"),
        )
    ]


def test_what_has_no_words_or_is_not_finished_is_left_out() -> None:
    """Audio without a transcript, half an answer, half a call, and what is about to be removed."""
    made = conversation(message("audio", ""), message("kept", "x"), message("gone", "x"), message("half", "x"))
    made.put(call("call", "call_1"))
    made.put({"id": "odd", "type": "mcp_list_tools"})
    made.put(message("role", "x", role="narrator"))
    for item_id in ("half", "call"):
        made.by_id[item_id].response_id = "resp_1"
    made.leave("gone", "event_1")

    assert told(made) == ["kept"]
    made.put(call("call", "call_1", status="completed"))
    assert told(made) == ["kept", "call"]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (History(max_items=2), ["c", "d"]),
        (History(max_items=0), []),
        (History(max_tokens=0), []),
        (History(max_tokens=2 * (4 + 10)), ["c", "d"]),
        (History(max_tokens=2 * (4 + 10) - 1), ["d"]),
        (History(), ["a", "b", "c", "d"]),
    ],
)
def test_the_newest_are_replayed_within_bounds(bounds: History, expected: list[str]) -> None:
    """By items and by tokens, without a gap, the oldest left out."""
    assert told(conversation(*(message(each, each * 40) for each in "abcd")), bounds) == expected


def test_an_output_is_never_replayed_without_its_call() -> None:
    """A call that is left out takes its output along; a call alone may still be answered."""
    made = conversation(call("c", "1"), output("o", "1"), output("x", "2"), message("m", "x"), call("d", "3"))

    assert told(made) == ["c", "o", "m", "d"]
    assert told(made, History(max_items=4)) == ["m", "d"]


TEXT = "one two three four"


@pytest.mark.parametrize(
    ("heard_ms", "expected"),
    [(None, TEXT), (100, TEXT), (5000, TEXT), (50, "one two"), (95, "one two three"), (1, ""), (0, "")],
)
@pytest.mark.parametrize(("form", "bytes_per_ms"), [("audio/pcm", 48), ("audio/pcmu", 8), ("audio/pcma", 8)])
def test_an_interrupted_answer_is_replayed_as_far_as_it_was_heard(
    form: str, bytes_per_ms: int, heard_ms: int | None, expected: str
) -> None:
    """In whole words, by the share of its audio."""
    item = conversation(message("a", TEXT, role="assistant")).by_id["a"]
    item.audio_characters, item.heard_ms = bytes_per_ms * 100 * 4 // 3, heard_ms

    assert heard(item, FORMATS[form]) == {0: expected}


@pytest.mark.parametrize(
    ("parts", "heard_ms", "expected"),
    [
        (("one two", " three"), 54, {0: "one two", 1: ""}),
        (("one two", " three"), 30, {0: "one", 1: ""}),
        (("one\ntwo", ""), 60, {0: "one"}),
        (("unbreakable",), 90, {0: ""}),
        (("何をお手伝いしましょうか",), 50, {0: "何をお手伝い"}),
    ],
)
def test_words_end_where_their_script_ends_them(
    parts: tuple[str, ...], heard_ms: int, expected: dict[int, str]
) -> None:
    """At spaces and lines, in any part; anywhere where words are written without spaces."""
    item = conversation(message("a", *parts, role="assistant")).by_id["a"]
    item.audio_characters, item.heard_ms = PCM_100_MS, heard_ms

    assert heard(item, PCM) == expected


def test_without_audio_nothing_is_cut() -> None:
    """A text answer is heard as a whole."""
    item = conversation(message("a", TEXT, role="assistant")).by_id["a"]
    item.heard_ms = 0

    assert heard(item, PCM) == {0: TEXT}


def test_what_was_cut_once_is_not_cut_again() -> None:
    """An endpoint confirms the replay; the next connection gets the same."""
    made = conversation(message("a", TEXT, role="assistant"))
    made.by_id["a"].audio_characters, made.by_id["a"].heard_ms = PCM_100_MS, 50

    for number in range(3):
        (event,) = replay(made, ALL)
        made.expect(event["item"], None, f"event_{number}")
        made.put(event["item"])
        assert event["item"]["content"][0]["text"] == "one two"


def test_what_is_replayed_without_its_audio_is_replayed_the_same_again() -> None:
    """The text of a later part takes the first place, once."""
    made = conversation(message("u", "", "look at this"))

    for number in range(3):
        (event,) = replay(made, ALL)
        made.expect(event["item"], None, f"event_{number}")
        made.put(event["item"])
        assert made.by_id["u"].text == "look at this"


WORDS = st.text(st.sampled_from("ab 何\n"), max_size=12)
MESSAGES = st.tuples(st.sampled_from(["user", "assistant", "system", "novel"]), st.lists(WORDS, max_size=3))
CALLS = st.tuples(st.sampled_from(["function_call", "function_call_output"]), st.sampled_from(["1", "2", ""]))
CUTS = st.none() | st.integers(0, 200)


@given(st.lists(st.tuples(MESSAGES | CALLS, CUTS, st.booleans()), max_size=12), st.integers(0, 12))
def test_a_replayed_conversation_replays_the_same(steps: list[Any], most: int) -> None:
    """Replayed to a new endpoint, and from that one's state to the next: the same items, roles and texts."""
    made = Conversation()
    for number, ((kind, value), heard_ms, said) in enumerate(steps):
        if isinstance(value, list):
            made.put(message(f"item_{number}", *value, role=kind))
        else:
            made.put((call if kind == "function_call" else output)(f"item_{number}", value))
        item = made.by_id[f"item_{number}"]
        item.heard_ms, item.audio_characters = heard_ms, PCM_100_MS if said else 0
    bounds = History(max_items=most)

    events = replay(made, bounds)
    fresh = Conversation()
    for number, each in enumerate(events):
        fresh.expect(each["item"], None, f"event_{number}")
        made.expect(each["item"], None, f"event_{number}")
        fresh.put(each["item"])

    assert replay(fresh, bounds) == events
    assert replay(made, bounds) == events
    assert [(each.id, each.role) for each in fresh.items] == [
        (each["item"]["id"], each["item"].get("role", "")) for each in events
    ]


def test_the_last_question_is_always_replayed() -> None:
    """However long it is; without it an answer that is asked for again would be one to something else."""
    conversation = Conversation()
    for item_id, role, text in (("a", "user", "before"), ("b", "assistant", "yes"), ("c", "user", "long " * 100)):
        kind = "output_text" if role == "assistant" else "input_text"
        conversation.put({"id": item_id, "type": "message", "role": role, "content": [{"type": kind, "text": text}]})

    replayed = replay(conversation, History(max_items=1, max_tokens=5))

    assert [each["item"]["id"] for each in replayed] == ["c"]
    assert replay(conversation, History(max_items=0)) == []


def test_a_call_that_is_to_be_answered_is_replayed_beyond_all_bounds() -> None:
    """The next connection would otherwise refuse its output; what is older than it is left out."""
    made = conversation(
        call("old", "call_0"), message("u", "hello"), call("c1", "call_1"), call("c2", "call_2"), message("u2", "well?")
    )

    def told_of(*calls: str, most: int = 1) -> list[str]:
        bounds = History(max_items=most, max_tokens=10_000)
        return [each["item"]["id"] for each in replay(made, bounds, calls=calls)]

    assert told_of() == ["u2"]
    assert told_of("call_1") == ["c1", "u2"]
    assert told_of("call_2", "call_1", most=0) == ["c1", "c2"]
