"""The items of a conversation: ours, the endpoint's, and those between the two."""

from typing import Any

import pytest

from runner.protocol import conversation
from runner.protocol.conversation import Conversation
from runner.protocol.item import Item
from runner.protocol.json_fields import BadField


def message(item_id: str, text: str = "x", **fields: Any) -> dict[str, Any]:
    """A message that the user typed."""
    content = [{"type": "input_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "user", "content": content, **fields}


def order(made: Conversation) -> list[str]:
    """The ids, first to last."""
    return [each.id for each in made.items]


def expecting(*item_ids: str) -> Conversation:
    """A conversation of items that the endpoint has still to confirm, by events of the same names."""
    made = Conversation()
    for each in item_ids:
        made.expect(message(each, each), None, f"event_{each}")
    return made


def test_an_item_of_ours_is_there_until_it_is_refused() -> None:
    """Confirmed or refused, it is waited for no longer."""
    made = expecting("a", "b")
    assert made.unconfirmed({"event_a", "event_b"}) == 2

    made.put(message("a", "a"))
    made.refuse("event_b")
    made.refuse("event_a")

    assert order(made) == ["a"]
    assert made.unconfirmed({"event_a", "event_b"}) == 0


def test_only_the_events_that_are_meant_are_waited_for() -> None:
    """What a connection before left unconfirmed is not this one's business."""
    assert expecting("a", "b").unconfirmed({"event_b", "event_c"}) == 1


def test_an_endpoint_may_give_an_item_an_id_of_its_own() -> None:
    """It is the same item, in its place, under the new name."""
    made = expecting("a", "b")
    item = made.by_id["a"]

    assert made.put(message("theirs", "a")) is item
    assert order(made) == ["theirs", "b"]
    assert (item.id, made.get("a"), item.asked_by) == ("theirs", None, "")


@pytest.mark.parametrize(
    "other",
    [message("x", "other"), message("x", "a", role="system"), message("x", ""), {"id": "x", "type": "mcp_call"}],
)
def test_another_item_confirms_none_of_ours(other: dict[str, Any]) -> None:
    """Nor does what was said without words, which looks like anything."""
    made = expecting("a")
    made.expect(message("image", ""), None, "event_image")
    made.put(other)

    assert order(made) == ["a", "image", "x"]
    assert made.unconfirmed({"event_a", "event_image"}) == 2


def test_two_items_of_ours_with_the_same_words_are_two() -> None:
    """However an endpoint names them."""
    made = Conversation()
    for each in "ab":
        made.expect(message(each, "yes"), None, f"event_{each}")
    assert order(made) == ["a", "b"]

    made.put(message("one", "yes"))
    made.put(message("two", "yes"))

    assert order(made) == ["one", "two"]


def test_the_endpoint_decides_the_place() -> None:
    """Ours moves behind what was there before it, and stays where it stands behind it already."""
    made = expecting("a", "b")
    made.put(message("theirs", "theirs"))
    made.put(message("a", "a"), "theirs")
    assert order(made) == ["b", "theirs", "a"]

    made.put(message("a", "a"), "b")
    assert order(made) == ["b", "theirs", "a"]
    made.put(message("b", "b"), "b")
    assert order(made) == ["b", "theirs", "a"]


def test_the_root_is_the_beginning() -> None:
    """The API's word for what has nothing before it; unknown places are the end."""
    made = expecting("a")
    made.expect(message("first"), "root", "event_1")
    made.put(message("first"), None)
    made.put(message("last"), "nowhere")
    made.put(message("self"), "self")

    assert order(made) == ["first", "a", "last", "self"]


@pytest.mark.parametrize("confirmed", [True, False])
def test_an_item_that_is_to_leave_stays_if_that_is_refused(confirmed: bool) -> None:
    """Also where its creation is confirmed meanwhile."""
    made = expecting("a")
    made.leave("a", "event_leave")
    made.leave("b", "event_leave")
    made.leave(None, "event_leave")
    if confirmed:
        made.put(message("a", "a"))
    assert made.by_id["a"].leaving

    made.refuse("event_leave")

    assert (made.by_id["a"].leaving, made.by_id["a"].asked_by) == (False, "")


def test_the_end_of_a_connection_takes_along_what_it_was_to_lose() -> None:
    """What is said again, what was asked to leave; not what others asked for."""
    made = expecting("said", "kept", "left", "other")
    made.by_id["said"].response_id, made.by_id["kept"].response_id = "resp_1", "resp_2"
    made.leave("left", "event_1")
    made.leave("other", "event_2")

    made.break_off({"resp_1", ""}, {"event_1"})

    assert order(made) == ["kept", "other"]


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_turn_that_was_announced_keeps_its_end(is_announced: bool) -> None:
    """A later connection, which holds it as complete, does not change what was said."""
    made = Conversation()
    item = made.put(message("a", status="incomplete"))
    item.is_announced = is_announced

    made.put(message("a", status="completed"))

    assert item.status == ("incomplete" if is_announced else "completed")


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": 5.5}, {"id": []}])
def test_what_cannot_be_read_is_no_item(item: dict[str, Any]) -> None:
    """Ours is left to the endpoint to refuse; the endpoint's is malformed."""
    made = Conversation()
    made.expect(item, None, "event_1")
    with pytest.raises(BadField):
        made.put(item)

    assert len(made) == 0


@pytest.mark.parametrize("previous", [None, "root", "item_0"])
def test_the_oldest_items_are_forgotten(previous: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is bounded, wherever items are put."""
    monkeypatch.setattr(conversation, "MAX_ITEMS", 3)
    made = Conversation()
    for number in range(5):
        made.expect(message(f"item_{number}"), previous if number == 4 else None, f"event_{number}")

    assert len(made) == len(made.by_id) == 3
    assert {*order(made)} == {*made.by_id}


def test_the_last_turn_can_be_answered_where_it_is_the_users_and_has_words() -> None:
    """What was said in answer to it does not count."""
    made = Conversation()
    assert not made.ends_with_words(but=[])
    made.put(message("audio", ""))
    assert not made.ends_with_words(but=[])
    made.put(message("a"))
    said: list[Item] = [made.put({"id": "b", "type": "message", "role": "assistant"})]
    made.put({"id": "c", "type": "function_call", "call_id": "1"})

    assert not made.ends_with_words(but=[])
    assert made.ends_with_words(but=said)


def test_an_item_whose_id_is_empty_stays_when_another_goes() -> None:
    """An id is whatever the endpoint sends, also nothing at all."""
    made = Conversation()
    made.append("", 0, "piece")
    made.put(message("a"))

    made.remove("a")

    assert order(made) == [""]
