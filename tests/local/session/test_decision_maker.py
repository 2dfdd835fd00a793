"""What a Live session has decided, the local endpoint decides without knowing anything, and in the shape of the API."""

from typing import Any

from tests.helpers.live_client import LiveWire
from tests.helpers.local_client import said, silence

QUESTIONS: list[dict[str, Any]] = [
    {"type": "choice", "instructions": "Which?", "choices": [{"value": "red"}, {"value": "blue"}], "name": "colour"},
    {"type": "predicate", "instructions": [{"type": "input_text", "text": "Is it urgent?"}]},
    {
        "type": "score",
        "instructions": "How angry?",
        "levels": [{"label": "calm"}, {"label": "cross"}, {"label": "wild"}],
    },
]


def decided(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The decisions among the events."""
    return [each for each in events if each["type"] == "decision.event"]


def test_a_delegated_choice_is_made_at_once() -> None:
    """For each question its first answer, all being equally likely; the client may ask too, once by each id."""
    decisions = {"type": "decisions", "decisions": {"model": "judge", "questions": QUESTIONS}}
    wire = LiveWire({"delegation": decisions}, script=[{"match": "call", "delegates": True}])
    events = wire.listen(said("Who should call?") + silence(800))
    delegation = next(each["delegation"] for each in events if each["type"] == "session.delegation.created")
    (made,) = decided(events)
    choice, predicate, score = made["event"]["decision"]["answers"]

    assert wire.started["session"]["delegation"]["acknowledgement_delay_ms"] == 400
    assert (delegation["target"], made["delegation_id"]) == ("decisions", delegation["id"])
    assert made["event"]["decision"]["model"] == "judge"
    assert (choice["name"], choice["choice"], choice["confidence"]) == ("colour", "red", 0.5)
    assert (predicate["probability"], score["score"]) == (0.5, 1)
    assert [each["value"] for each in score["probabilities"]] == [0, 1, 2]
    (asked,) = wire.send("decision.create", event_id="now")
    assert (asked["type"], asked["delegation_id"]) == ("decision.event", None)
    assert wire.refusal("decision.create", event_id="now")["code"] == "duplicate_event_id"


def test_a_trigger_decides_with_every_fragment() -> None:
    """Of the side that it is for, until it is taken away; what is known besides can be added and removed."""
    trigger = {"type": "decisions", "event_type": "session.input_transcript.delta"}
    wire = LiveWire({"triggers": [{**trigger, "decisions": {"questions": QUESTIONS}}]})
    heard = wire.listen(said("Call me.") + silence(1500))
    fragments = [each["event_id"] for each in heard if each["type"] == "session.input_transcript.delta"]

    assert [each["source_event_id"] for each in decided(heard)] == fragments
    assert len({each["trigger_id"] for each in decided(heard)}) == len(fragments) == 3
    wire.send("session.update", session={"triggers": []})
    assert decided(wire.listen(said("Call me.") + silence(1500))) == []

    item = {"type": "message", "role": "user", "content": "It is late."}
    (created,) = wire.send("decision.item.create", item=item, event_id="i")
    item_id = created["item"]["id"]
    assert created["item"] == {**item, "id": item_id}
    assert wire.refusal("decision.item.create", item={**item, "id": item_id})["param"] == "item.id"
    (deleted,) = wire.send("decision.item.delete", item_id=item_id)
    assert (deleted["type"], deleted["item_id"]) == ("decision.item.deleted", item_id)
    assert wire.refusal("decision.item.delete", item_id=item_id)["code"] == "item_not_found"
    assert wire.refusal("decision.create", event_id="now")["param"] == "type"
