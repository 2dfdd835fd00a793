"""What can be made to go wrong in a Live session, goes wrong as the API would have it."""

from tests.helpers.live_client import LiveWire, types, words
from tests.helpers.local_client import said, silence


def test_a_session_that_drifts_says_something_else() -> None:
    """When it starts, and when it is updated."""
    wire = LiveWire({}, faults=[{"kind": "drift", "settings": {"audio": {"output": {"voice": "other"}}}}])
    (updated,) = wire.send("session.update", session={})
    for event in (wire.started, updated):
        assert event["session"]["audio"]["output"]["voice"] == "other"


def test_a_start_can_be_refused() -> None:
    """By the error that the script names; there is no session then."""
    wire = LiveWire(faults=[{"kind": "refuse-update", "code": "model_not_found", "param": "session.model"}])
    error = wire.refusal("session.start", session={"model": "m"}, event_id="s")
    assert (error["code"], error["param"], error["client_event_id"]) == ("model_not_found", "session.model", "s")
    assert wire.refusal("session.close")["code"] == "session_not_started"


def test_a_delegated_response_can_fail() -> None:
    """The Responses model says why, the Live model only that; the next task is done."""
    delegation = {"type": "responses", "responses": {"model": "gpt-5.2"}}
    fault = {"kind": "response-failed", "code": "rate_limit_exceeded", "message": "Slow down."}
    script = [{"match": "weather", "reply": "It is sunny.", "delegates": True}]
    wire = LiveWire({"delegation": delegation}, faults=[fault], script=script)
    question = said("How is the weather?") + silence(1500)
    failed, done = wire.listen(question), wire.listen(question)

    (ending,) = [each["event"] for each in failed if each.get("event", {}).get("type") == "response.failed"]
    assert ending["response"]["error"] == {"code": "rate_limit_exceeded", "message": "Slow down."}
    assert words(failed) == "I could not do that."
    assert words(done) == " It is sunny."


def test_a_session_can_be_ended() -> None:
    """In order, though nobody has asked for it, and for a reason of the API's; an error comes in its shape."""
    wire = LiveWire({})
    error = wire.session.error_event("server_error", None, "On purpose.")
    assert error["error"] == {"type": "server_error", "code": "server_error", "message": "On purpose."}
    (closed,) = wire.session.end("content")
    assert (types([closed]), closed["reason"]) == (["session.closed"], "content")
    assert wire.session.is_over
