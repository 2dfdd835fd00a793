"""The address says which session a client asks for."""

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from runner.local.server.app import LocalApp
from runner.local.server.requested_session import requested_session
from tests.helpers.live_client import MODEL, live_checked, types
from tests.helpers.local_client import PATIENCE_S, dial, in_thread, listening, settings, told

LIVE = "/v1/live/sessions"


def scope(path: str, query: str = "") -> dict[str, Any]:
    """The scope of a WebSocket."""
    return {"path": path, "query_string": query.encode(), "headers": []}


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        ("/v1/realtime", "model=m", "realtime"),
        ("/v1/realtime", "intent=transcription", "transcription"),
        ("/v1/realtime/translations/", "model=m", "translation"),
        (LIVE, "", "live"),
        ("/openai/v1/live/sessions", "", "live"),
        ("/v1/live", "", None),
    ],
)
def test_each_kind_has_its_address(path: str, query: str, kind: str | None) -> None:
    """A prefix changes nothing, and an address that there is not has no session."""
    requested = requested_session(scope(path, query))
    assert (requested.kind if requested else None) == kind
    assert requested is None or not requested.lacks_model


@pytest.mark.anyio
async def test_a_live_session_is_closed_in_order() -> None:
    """The client has the first word, the endpoint the last, and then the connection is closed."""

    def talk(port: int) -> tuple[list[dict[str, Any]], int | None]:
        with dial(port, LIVE) as socket:
            told(socket, "session.start", session={"model": MODEL})
            events = [json.loads(socket.recv(timeout=PATIENCE_S))]
            told(socket, "session.close")
            events += [json.loads(message) for message in socket]
            return events, socket.close_code

    async with listening() as port:
        events, code = await in_thread(lambda: talk(port))
    assert types(map(live_checked, events)) == ["session.started", "session.closed"]
    assert code == 1000


@pytest.mark.anyio
async def test_a_stored_session_is_forked_once_it_is_closed() -> None:
    """Not before, and one that was not stored never."""

    def talk(port: int) -> tuple[list[int], list[dict[str, Any]]]:
        refusals = []

        def refused(session_id: str) -> None:
            with pytest.raises(InvalidStatus) as caught:
                dial(port, f"{LIVE}/{session_id}/fork")
            refusals.append(caught.value.response.status_code)

        refused("live_unknown")
        with dial(port, LIVE) as socket:
            told(socket, "session.start", session={"model": MODEL, "store": True})
            session = json.loads(socket.recv(timeout=PATIENCE_S))["session"]
            refused(session["id"])
            told(socket, "session.close")
            assert [json.loads(each)["type"] for each in socket] == ["session.closed"]
        with dial(port, f"{LIVE}/{session['id']}/fork") as socket:
            told(socket, "session.start", session={"store": False})
            events = [json.loads(socket.recv(timeout=PATIENCE_S))]
            told(socket, "session.close")
            events += [json.loads(message) for message in socket]
        refused(events[0]["session"]["id"])
        return refusals, events

    async with listening() as port:
        refusals, events = await in_thread(lambda: talk(port))
    assert refusals == [404, 409, 404]
    assert [live_checked(each)["session"]["store"] for each in events] == [False, False]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [({"kind": "expire", "after_s": 0.5}, "expired", 1000), ({"kind": "end", "after_events": 1}, "content", 1000)],
)
async def test_a_session_that_the_endpoint_ends_is_closed_in_order(fault: Any, reason: str, code: int) -> None:
    """By the last event, with the reason, and an orderly close."""

    def talk(port: int) -> tuple[list[dict[str, Any]], int | None]:
        with dial(port, LIVE) as socket:
            told(socket, "session.start", session={"model": MODEL})
            return [json.loads(message) for message in socket], socket.close_code

    async with listening(LocalApp(settings(faults=[fault]))) as port:
        events, closed = await in_thread(lambda: talk(port))
    assert types(map(live_checked, events)) == ["session.started", "session.closed"]
    assert (events[-1]["reason"], closed) == (reason, code)
