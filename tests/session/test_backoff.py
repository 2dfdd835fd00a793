"""How long to wait, and when to give up."""

import pytest

from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, ProtocolError, RunnerError
from runner.session.backoff import MAX_RETRY_AFTER_S, Backoff
from runner.settings.continuity import Reconnect

LOST = EndpointUnreachable("lost")
EXPIRED = EndpointBusy("over", code="session_expired")


@pytest.mark.parametrize("repetition", range(20))
def test_the_bound_doubles_up_to_the_greatest(repetition: int) -> None:
    """Each wait is a random part of its bound."""
    backoff = Backoff(Reconnect(initial_delay_s=0.5, max_delay_s=3, max_attempts=1000))
    for failure in range(100):
        delay_s = backoff.delay_s(LOST)
        assert delay_s is not None
        assert 0 <= delay_s <= min(3, 0.5 * 2.0**failure)
        assert backoff.attempt == failure + 1


def test_no_two_clients_wait_the_same() -> None:
    """Full jitter, from next to nothing to next to the bound."""
    delays = [Backoff(Reconnect(initial_delay_s=10)).delay_s(LOST) or 0.0 for _ in range(300)]

    assert min(delays) < 1
    assert max(delays) > 9


@pytest.mark.parametrize(("asked_s", "least_s"), [(0.0, 0.0), (7.0, 7.0), (1e9, MAX_RETRY_AFTER_S)])
def test_the_endpoint_may_ask_for_more(asked_s: float, least_s: float) -> None:
    """Within a bound; a part of our own comes on top."""
    delay_s = Backoff(Reconnect(initial_delay_s=0.5)).delay_s(EndpointBusy("busy", retry_after_s=asked_s))

    assert delay_s is not None
    assert least_s <= delay_s <= least_s + 0.5


def test_attempts_are_counted_until_a_connection_has_lived() -> None:
    """A quota that is gone lets everybody connect, for a moment."""
    backoff = Backoff(Reconnect(max_attempts=2, stable_s=60))
    for _ in range(2):
        assert backoff.delay_s(LOST) is not None
        backoff.lived(59.9)
    assert backoff.delay_s(LOST) is None

    backoff.lived(60)

    assert backoff.attempt == 0
    assert backoff.delay_s(LOST) is not None


def test_what_was_due_to_expire_is_replaced_at_once() -> None:
    """The first time; an endpoint whose sessions are over at once is not run at."""
    backoff = Backoff(Reconnect(initial_delay_s=3600, max_delay_s=3600))

    assert backoff.delay_s(EXPIRED) == 0
    assert backoff.delay_s(EXPIRED) != 0
    backoff.lived(1e6)
    assert backoff.delay_s(EXPIRED) == 0


@pytest.mark.parametrize("error", [AccessRefused("no"), ProtocolError("what"), RunnerError("bug")])
def test_the_hopeless_is_not_tried_again(error: RunnerError) -> None:
    """Nor does it count as an attempt."""
    backoff = Backoff(Reconnect())

    assert backoff.delay_s(error) is None
    assert backoff.attempt == 0


@pytest.mark.parametrize("error", [LOST, EXPIRED, EndpointBusy("busy", retry_after_s=0)])
def test_no_attempts_are_none(error: RunnerError) -> None:
    """Whatever the reason."""
    assert Backoff(Reconnect(max_attempts=0)).delay_s(error) is None


def test_the_profile_knows_better() -> None:
    """What it classifies is temporary or hopeless, against the table."""
    backoff = Backoff(Reconnect(classify={"1008": "temporary", "session_expired": "hopeless"}))

    assert backoff.recovery_of(ProtocolError("policy", status=1008)) == "temporary"
    assert backoff.delay_s(ProtocolError("policy", status=1008)) is not None
    assert backoff.delay_s(EXPIRED) is None
