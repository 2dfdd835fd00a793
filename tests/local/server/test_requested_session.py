"""The address says which session a client asks for."""

import json
from typing import Any

import pytest

from runner.local.server.requested_session import requested_session
from tests.helpers.live_client import MODEL, live_checked, types
from tests.helpers.local_client import PATIENCE_S, dial, in_thread, listening, told

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
