"""A session answers events as the API does."""

import base64
import json
import time
from typing import Any

import pytest

from runner.local.session.item_store import ItemStore, Tokens
from runner.local.session.response import Response
from runner.local.session.response_request import ResponseRequest
from tests.helpers.local_client import SCHEMA_FILE, Wire, error_of, new_session, user_message

TEXT_ORDER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def types(events: list[dict[str, Any]]) -> list[str]:
    """The types of events, repeated ones once."""
    names = [event["type"] for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def pcm(seconds: float) -> str:
    """Silence in base64."""
    return base64.b64encode(bytes(int(48000 * seconds))).decode()


def test_the_official_schema_is_checked() -> None:
    """Events are checked against the official schema where it is present."""
    if not SCHEMA_FILE.exists():
        pytest.skip("the official schema is not beside this checkout; only openai-python's types are checked")


def test_created_comes_first_and_tells_everything() -> None:
    """`session.created` shows all defaults and says that the session is simulated."""
    (created,) = Wire().events

    session = created["session"]
    assert created["type"] == "session.created"
    assert session["id"].startswith("sess_")
    assert session["expires_at"] == 4102444800
    assert session["model"] == "gpt-realtime-2"
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert "simulated" in session["instructions"]


def test_text_turn_has_the_order_of_the_api() -> None:
    """A text turn streams its answer between the API's frame of events."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    user = wire.say("Hello")

    events = wire.send("response.create") + wire.finish()

    assert types(events) == TEXT_ORDER
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "You said: Hello"
    response = events[-2]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "You said: Hello"}]
    assert events[2]["previous_item_id"] == user
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == len(deltas)


def test_audio_turn_speaks_and_writes() -> None:
    """By default the answer is audio with a transcript, as long as its text."""
    wire = Wire()
    wire.say("Hello")

    events = wire.send("response.create") + wire.finish()

    names = types(events)
    assert names.index("response.output_audio_transcript.delta") < names.index("response.output_audio.delta")
    assert names.index("response.output_audio.done") + 1 == names.index("response.output_audio_transcript.done")
    audio = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    assert len(audio) == 48 * 24 * len("You said: Hello")
    assert events[-2]["response"]["output"][0]["content"] == [{"type": "output_audio", "transcript": "You said: Hello"}]
    assert events[-2]["response"]["usage"]["output_token_details"]["audio_tokens"] > 0


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
def test_telephony_formats_are_spoken(encoding: str) -> None:
    """G.711 answers have one byte a sample at 8 kHz."""
    wire = Wire()
    shown = wire.update(audio={"output": {"format": {"type": encoding}}})
    wire.say("Hi")

    events = wire.send("response.create") + wire.finish()

    audio = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    assert shown["audio"]["output"]["format"] == {"type": encoding}
    assert len(audio) == 8 * 24 * len("You said: Hi")


def test_script_goes_before_the_echo() -> None:
    """The first matching pattern answers, with its groups filled in."""
    script = [{"match": r"order (\d+)", "reply": r"Order \1 is on its way."}]
    wire = Wire(new_session(script=script))
    wire.update(output_modalities=["text"])
    wire.say("Where is ORDER 17?")

    wire.send("response.create")

    assert wire.finish()[-2]["response"]["output"][0]["content"][0]["text"] == "Order 17 is on its way."


def test_cancel_stops_in_mid_stream() -> None:
    """A cancelled response keeps what was said and is incomplete."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    wire.say("one two three")
    wire.send("response.create")
    wire.step()

    events = wire.send("response.cancel")

    done = events[-2]["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["output"][0]["content"][0]["text"] == "You"
    assert not wire.session.can_advance
    assert wire.refusal("response.cancel", event_id="late")["code"] == "response_cancel_not_active"


def test_only_one_response_in_the_conversation() -> None:
    """A second response is refused while one is active, and names it."""
    wire = Wire()
    created = wire.send("response.create")[0]

    error = wire.refusal("response.create", event_id="evt_2")

    assert error["code"] == "conversation_already_has_active_response"
    assert created["response"]["id"] in error["message"]
    assert error["event_id"] == "evt_2"


def test_token_limit_makes_it_incomplete() -> None:
    """A response that hits its limit says so."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    wire.say("one two three four")

    wire.send("response.create", response={"max_output_tokens": 2})

    done = wire.finish()[-2]["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["usage"]["output_tokens"] == 2


def test_out_of_band_leaves_the_conversation_alone() -> None:
    """A response with `conversation` none runs beside another, echoes its metadata and adds nothing."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    wire.say("in band")
    wire.send("response.create")
    params = {"conversation": "none", "metadata": {"topic": "side"}, "input": [user_message("aside")]}

    started = wire.send("response.create", response=params)
    events = wire.finish()

    side, main = sorted(
        (e["response"] for e in events if e["type"] == "response.done"), key=lambda r: "conversation_id" in r
    )
    assert started[0]["response"]["metadata"] == {"topic": "side"}
    assert "conversation.item.added" not in types(started)
    assert side["output"][0]["content"][0]["text"] == "You said: aside"
    assert main["output"][0]["content"][0]["text"] == "You said: in band"
    assert len(wire.session.conversation.items) == 2


def test_what_was_said_so_far_can_be_retrieved() -> None:
    """An item in flight shows its text up to now, though nobody writes it down for every piece."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    wire.say("Hello")
    started = wire.send("response.create")
    item_id = started[1]["item"]["id"]
    pieces = [event["delta"] for _ in range(2) for event in wire.step()]

    (retrieved,) = wire.send("conversation.item.retrieve", item_id=item_id)

    assert retrieved["item"]["content"] == [{"type": "output_text", "text": "".join(pieces)}]


def test_a_long_answer_costs_no_more_for_each_piece() -> None:
    """What was said is joined when somebody asks for it, not for every one of its pieces."""
    response = Response(ResponseRequest([], "", None, {}, Tokens()), ItemStore())
    response.begin()
    response.stream_text("word " * 40_000)

    def cost(pieces: int) -> float:
        before = time.process_time()
        for _ in range(pieces):
            response.advance()
        return time.process_time() - before

    first = cost(2000)
    cost(34_000)
    assert cost(2000) < 5 * first + 0.05


def test_input_may_refer_to_items() -> None:
    """An input refers to an item of the conversation; an unknown one is refused."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    first = wire.say("first")
    wire.say("second")

    wire.send("response.create", response={"input": [{"type": "item_reference", "id": first}]})
    error = None

    assert wire.finish()[-2]["response"]["output"][0]["content"][0]["text"] == "You said: first"
    error = wire.refusal("response.create", response={"input": [{"type": "item_reference", "id": "gone"}]})
    assert error["param"] == "response.input[0].id"


def test_prompt_tokens_become_cached() -> None:
    """The second response finds the first one's prompt in the cache, in blocks of 64."""
    wire = Wire()
    wire.update(output_modalities=["text"], instructions="x" * 1000)
    wire.say("Hello")
    wire.send("response.create")
    first = wire.finish()[-2]["response"]["usage"]
    wire.send("response.create")

    second = wire.finish()[-2]["response"]["usage"]

    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["cached_tokens"] == first["input_tokens"] // 64 * 64
    assert second["input_token_details"]["cached_tokens_details"]["text_tokens"] >= 64


def test_items_are_inserted_where_asked() -> None:
    """`previous_item_id` puts an item first, after another, or nowhere."""
    wire = Wire()
    one = wire.say("one")

    root = wire.send("conversation.item.create", previous_item_id="root", item=user_message("zero"))
    after = wire.send("conversation.item.create", previous_item_id=one, item={**user_message("two"), "id": "two"})
    error = wire.refusal("conversation.item.create", previous_item_id="gone", item=user_message("never"))

    assert types(root) == ["conversation.item.added", "conversation.item.done"]
    assert root[0]["previous_item_id"] is None
    assert after[0]["previous_item_id"] == one
    assert [entry.id for entry in wire.session.conversation.items] == [root[0]["item"]["id"], one, "two"]
    assert error["code"] == "item_create_invalid_previous_item_id"
    assert error["message"] == "Error adding item: the previous item with id 'gone' does not exist."
    duplicate = wire.refusal("conversation.item.create", item={**user_message("two"), "id": "two"})
    assert duplicate["param"] == "item.id"


def test_items_are_retrieved_and_deleted() -> None:
    """An item comes back as it is, until it is deleted."""
    wire = Wire()
    one = wire.say("one")

    (retrieved,) = wire.send("conversation.item.retrieve", item_id=one)
    (deleted,) = wire.send("conversation.item.delete", item_id=one)

    assert retrieved["item"]["content"] == [{"type": "input_text", "text": "one"}]
    assert deleted["item_id"] == one
    error = wire.refusal("conversation.item.delete", item_id=one)
    assert error["code"] == "item_delete_invalid_item_id"
    assert error["message"] == f"Error deleting item: the item with id '{one}' does not exist."
    assert wire.refusal("conversation.item.retrieve", item_id=one)["code"] == "item_retrieve_invalid_item_id"


def test_function_calls_and_outputs() -> None:
    """A function's output must belong to a call, and is what the answer speaks of."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}

    error = wire.refusal("conversation.item.create", item=output)
    wire.send("conversation.item.create", item=call)
    wire.send("conversation.item.create", item=output)
    wire.send("response.create")

    assert error["code"] == "invalid_tool_call_id"
    assert wire.finish()[-2]["response"]["output"][0]["content"][0]["text"] == "The function answered: rain"


def test_truncate_knows_how_much_was_said() -> None:
    """Only the assistant's audio can be cut, and only to less than there is."""
    wire = Wire()
    user = wire.say("Hello")
    wire.send("response.create")
    wire.step()
    item = wire.send("response.cancel")[-2]["response"]["output"][0]["id"]
    spoken_ms = 24 * len("You")

    beyond = wire.refusal("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=spoken_ms + 1)
    (cut,) = wire.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=spoken_ms - 12)

    assert beyond["message"] == f"Audio content of {spoken_ms}ms is already shorter than {spoken_ms + 1}ms"
    assert cut["audio_end_ms"] == spoken_ms - 12
    (retrieved,) = wire.send("conversation.item.retrieve", item_id=item)
    assert retrieved["item"]["content"] == [{"type": "output_audio"}]
    fields = {"content_index": 0, "audio_end_ms": 0}
    assert wire.refusal("conversation.item.truncate", item_id=user, **fields)["code"] == "unsupported_content_type"
    assert wire.refusal("conversation.item.truncate", item_id="x", **fields)["code"] == "item_truncate_invalid_item_id"
    index = wire.refusal("conversation.item.truncate", item_id=item, content_index=1, audio_end_ms=0)
    assert index["param"] == "content_index"


def test_audio_turn_is_measured() -> None:
    """A committed buffer becomes a user item, and the answer says how long it was."""
    wire = Wire()
    wire.update(output_modalities=["text"])
    assert wire.send("input_audio_buffer.append", audio=pcm(1.0)) == []
    assert wire.send("input_audio_buffer.append", audio=pcm(0.5)) == []

    events = wire.send("input_audio_buffer.commit")
    wire.send("response.create")

    assert types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    done = wire.finish()[-2]["response"]
    assert done["output"][0]["content"][0]["text"] == "I heard 1.5 s of audio."
    assert done["usage"]["input_token_details"]["audio_tokens"] == 15


def test_buffer_must_hold_100_ms() -> None:
    """Less than 100 ms cannot be committed, nor can what was cleared."""
    wire = Wire()
    wire.send("input_audio_buffer.append", audio=pcm(0.099))

    short = wire.refusal("input_audio_buffer.commit")
    wire.send("input_audio_buffer.append", audio=pcm(0.2))
    (cleared,) = wire.send("input_audio_buffer.clear")

    assert short["code"] == "input_audio_buffer_commit_empty"
    assert "99.00ms" in short["message"]
    assert cleared["type"] == "input_audio_buffer.cleared"
    assert wire.refusal("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    assert wire.refusal("input_audio_buffer.append", audio="no base64!")["param"] == "audio"


def test_transcription_fails_honestly() -> None:
    """What is not understood is told, and no transcript invented."""
    wire = Wire()
    wire.update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}})
    wire.send("input_audio_buffer.append", audio=pcm(0.2))

    failed = wire.send("input_audio_buffer.commit")[-1]

    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["error"]["code"] == "audio_unintelligible"
    assert 'without `endpoint.speech = "models"`' in failed["error"]["message"]


def test_voice_is_fixed_after_the_first_audio() -> None:
    """The voice may change until something was said."""
    wire = Wire()
    assert wire.update(audio={"output": {"voice": "cedar"}})["audio"]["output"]["voice"] == "cedar"
    wire.send("response.create")
    wire.finish()

    update = wire.refusal("session.update", session={"type": "realtime", "audio": {"output": {"voice": "alloy"}}})
    create = wire.refusal("response.create", response={"audio": {"output": {"voice": "alloy"}}})

    assert {update["code"], create["code"]} == {"cannot_update_voice"}
    wire.update(audio={"output": {"voice": "cedar", "speed": 1.25}})


def test_transcription_session_has_its_own_shape() -> None:
    """A transcription session commits audio, and makes no responses."""
    wire = Wire(new_session(kind="transcription"))
    session = wire.update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}}})
    wire.send("input_audio_buffer.append", audio=pcm(0.2))

    events = wire.send("input_audio_buffer.commit")

    assert session["object"] == "realtime.transcription_session"
    assert session["audio"]["input"]["transcription"] == {"model": "gpt-4o-transcribe", "language": "en"}
    assert events[-1]["type"] == "conversation.item.input_audio_transcription.failed"
    assert wire.refusal("response.create")["param"] == "type"
    assert wire.refusal("session.update", session={"type": "realtime"})["param"] == "session.type"


def test_the_last_word_is_session_expired() -> None:
    """An expired session says why."""
    wire = Wire()

    error = error_of(wire._keep(wire.session.expire("over")))

    assert error["code"] == "session_expired"
    assert json.dumps(error)
