"""What is owed is asked again."""

import math
from typing import Any

import pytest

from runner.protocol.connection_end import end_connection
from runner.protocol.receive import receive
from runner.protocol.request import Request
from runner.session.retry import Retry
from runner.settings.continuity import Reconnect
from tests.helpers.networkless_link import StillLink

pytestmark = pytest.mark.anyio

SETTINGS = Reconnect(initial_delay_s=4, max_delay_s=10)
CREATE = {"type": "response.create"}
OTHER = {"type": "response.create", "response": {"instructions": "Sing."}}
ASIDE = {"type": "response.create", "response": {"conversation": "none"}}


def owing(*events: dict[str, Any], failures: int = 1) -> StillLink:
    """A connection on which this is owed."""
    link = StillLink()
    link.state.pending.to_retry += [
        Request("", "out_of_band" if each is ASIDE else "response", each, failures) for each in events
    ]
    return link


@pytest.mark.parametrize(("failures", "least_s", "most_s"), [(1, 2, 4), (2, 4, 8), (3, 5, 10), (5000, 5, 10)])
async def test_a_failed_response_is_asked_again_after_a_while(failures: int, least_s: float, most_s: float) -> None:
    """The more failures, the later; its failures stay with the question."""
    link = StillLink()
    repetition = Retry(link.as_link(), SETTINGS)
    link.state.pending.to_retry.append(Request("", "response", CREATE, failures))

    await repetition.look(100)
    assert 100 + least_s <= repetition.next_s <= 100 + most_s
    await repetition.look(repetition.next_s - 0.01)
    assert link.sent == []
    await repetition.look(repetition.next_s)

    (sent,) = link.sent
    assert sent["type"] == "response.create"
    assert [each.failures for each in link.state.pending.requests] == [failures]
    assert (link.state.pending.to_retry, repetition.next_s) == ([], math.inf)


async def test_what_an_earlier_connection_left_is_asked_at_once() -> None:
    """It has waited for this one already; unless a rate limit is used up."""
    link = owing(CREATE)
    await Retry(link.as_link(), SETTINGS).look(100)
    assert len(link.sent) == 1

    link = owing(CREATE)
    entry = {"name": "requests", "limit": 10, "remaining": 0, "reset_seconds": 60}
    link.state.rate_limits.update([entry], 100)
    repetition = Retry(link.as_link(), SETTINGS)
    await repetition.look(100)
    assert link.sent == []
    assert repetition.next_s == 160


async def test_one_answer_at_a_time() -> None:
    """The second question waits for the end of the first answer; what is out of band waits for nobody."""
    link = owing(CREATE, OTHER)
    repetition = Retry(link.as_link(), SETTINGS)
    for _ in range(3):
        await repetition.look(100)
        assert len(link.sent) == 1
        assert repetition.next_s == math.inf
    receive(link.state, {"type": "response.done", "response": {"id": "r", "status": "completed"}})
    await repetition.look(101)
    assert [each.get("response") for each in link.sent] == [None, OTHER["response"]]

    link.state.pending.to_retry.append(Request("", "out_of_band", ASIDE, 1))
    await repetition.look(102)
    await repetition.look(repetition.next_s)
    assert link.sent[-1]["response"] == ASIDE["response"]


async def test_what_cannot_be_sent_is_still_pending() -> None:
    """The connection was lost meanwhile, or turn detection was quicker."""
    link = owing(CREATE)
    link.is_lost = True
    await Retry(link.as_link(), SETTINGS).look(100)
    assert len(link.state.pending.to_retry) == 1

    link = owing(ASIDE)
    end_connection(link.state)
    await Retry(link.as_link(), SETTINGS).look(100)
    assert len(link.state.pending.to_retry) == 1


async def test_what_was_taken_back_is_not_asked_again() -> None:
    """Its user has cancelled it while it waited."""
    link = StillLink()
    repetition = Retry(link.as_link(), SETTINGS)
    link.state.pending.to_retry.append(Request("", "response", CREATE, 1))
    await repetition.look(100)
    link.state.pending.to_retry.clear()

    await repetition.look(200)

    assert (link.sent, repetition.next_s) == ([], math.inf)
