"""A conversation becomes the messages that servers of chat completions take."""

from typing import Any

from runner.audio.format import PCM
from runner.local.session.chat_messages import messages_of
from runner.local.session.item_store import StoredItem, admit
from tests.helpers.local_client import user_message


def item(kind: str, **fields: Any) -> StoredItem:
    """An item as the client creates it."""
    return admit({"type": kind, **fields}, audio_format=PCM)


def test_each_call_has_its_output_right_behind_it() -> None:
    """Whatever was said in between; a call without an output has a placeholder, an output without a call is told."""
    items = [
        admit(user_message("Two things"), audio_format=PCM),
        item("function_call", call_id="a", name="one", arguments='{"x": 1}'),
        item("function_call", call_id="b", name="two", arguments="no JSON"),
        admit(user_message("And?"), audio_format=PCM),
        item("function_call_output", call_id="a", output="1"),
        item("function_call_output", call_id="z", output="stray"),
    ]

    user, calls, one, two, late, stray = messages_of(items, "")

    assert [each["function"] for each in calls["tool_calls"]] == [
        {"name": "one", "arguments": '{"x": 1}'},
        {"name": "two", "arguments": "{}"},
    ]
    assert (one, two["tool_call_id"]) == ({"role": "tool", "tool_call_id": "a", "content": "1"}, "b")
    assert [each["content"] for each in (user, late, stray)] == ["Two things", "And?", "stray"]


def test_images_are_shown_and_what_was_not_understood_is_reported() -> None:
    """The model sees pictures; of audio without words it learns that there was some."""
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    spoken = {"type": "input_audio", "audio": "AAAA"}

    shown, heard = messages_of([item("message", role="user", content=[each]) for each in (picture, spoken)], "")

    assert shown["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert heard["content"] == "(inaudible)"
