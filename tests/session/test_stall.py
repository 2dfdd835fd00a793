"""An endpoint that goes silent in the middle of an answer."""

import math

import pytest

from runner.errors import EndpointUnreachable
from runner.protocol.receive import receive
from runner.session.stall import StallDetector
from tests.helpers.networkless_link import StillLink

TIMEOUT_S = 8.0
CREATE = {"type": "response.create"}
ASIDE = {"type": "response.create", "response": {"conversation": "none"}}


def watched(link: StillLink, until_s: float, events_s: tuple[float, ...] = ()) -> float:
    """Look whenever it asks for it and whenever an event comes, from 0 s on; returns when the connection was given up.

    Infinite where it was not.
    """
    stall = StallDetector(link.as_link(), TIMEOUT_S)
    now_s, to_come = 0.0, [*events_s]
    while now_s <= until_s:
        stall.look(now_s)
        if link.failures:
            return now_s
        if to_come and to_come[0] <= stall.next_s:
            now_s = to_come.pop(0)
            link.state.heard_at_s = 1e9 + now_s
        else:
            assert stall.next_s > now_s
            now_s = stall.next_s
    return math.inf


@pytest.mark.parametrize("request_", [CREATE, ASIDE])
def test_silence_is_a_lost_connection(request_: dict[str, object]) -> None:
    """After the timeout, give or take a look."""
    link = StillLink()
    link.state.send(request_)

    assert TIMEOUT_S <= watched(link, 100) <= TIMEOUT_S * 1.25
    assert isinstance(link.failures[0], EndpointUnreachable)
    assert "8 s" in link.failures[0].message


def test_whatever_comes_begins_the_silence_anew() -> None:
    """An answer may take as long as it likes."""
    link = StillLink()
    link.state.send(CREATE)
    events_s = tuple(5.0 * number for number in range(1, 20))

    assert 95 + TIMEOUT_S <= watched(link, 200, events_s) <= 95 + TIMEOUT_S * 1.5


def test_nobody_is_watched_who_owes_nothing() -> None:
    """A user who thinks or speaks is no stall."""
    link = StillLink()
    link.state.pending.turn = "speaking"

    assert watched(link, 1000) == math.inf


def test_silence_counts_from_the_request_on() -> None:
    """Not from the last event before it, nor from the request before."""
    link = StillLink()
    stall = StallDetector(link.as_link(), TIMEOUT_S)
    for start_s in (0.0, 1000.0):
        stall.look(start_s)
        link.state.send(CREATE)
        stall.look(start_s + 500)
        assert stall.next_s <= start_s + 500 + TIMEOUT_S
        receive(link.state, {"type": "response.done", "response": {"id": "r", "status": "completed"}})
        stall.look(start_s + 501)
        assert stall.next_s == math.inf

    assert link.failures == []


@pytest.mark.parametrize("owed", ["commit", "transcript", "turn"])
def test_whatever_is_owed_is_waited_for_no_longer(owed: str) -> None:
    """Not only responses: the answer to a commit, a transcript, and the response to what turn detection heard."""
    link = StillLink()
    if owed == "commit":
        link.state.send({"type": "input_audio_buffer.commit"})
    elif owed == "transcript":
        link.state.pending.transcribing.add("item_1")
    else:
        link.state.pending.turn = "committed"

    assert TIMEOUT_S <= watched(link, 100) <= TIMEOUT_S * 1.25
