"""Turn detection finds beginnings and ends to the frame."""

from typing import Any

import pytest

from runner.local.session.turn_detection import (
    IdleTimeout,
    TurnDetection,
    TurnSettings,
    TurnStarted,
    TurnStopped,
    turn_settings,
)
from runner.local.speech.interfaces import Frame

LOUD, QUIET = Frame(20, 0.9), Frame(20, 0.1)
BASE: dict[str, Any] = {"create_response": True, "interrupt_response": True}


def followed(turns: TurnDetection, *frames: tuple[Frame, int]) -> list[Any]:
    """What so many frames of each kind bring about."""
    return list(turns.follow([frame for frame, count in frames for _ in range(count)]))


def test_a_turn_has_padding_before_it_and_silence_after_it() -> None:
    """It begins 300 ms before speech and ends after 500 ms of silence, as the API's defaults say."""
    started, stopped = followed(TurnDetection(TurnSettings()), (QUIET, 50), (LOUD, 30), (QUIET, 25))

    assert (started.start_ms, stopped.start_ms, stopped.end_ms) == (700, 700, 2100)
    assert started.item_id == stopped.item_id


def test_padding_does_not_reach_before_the_beginning_or_into_the_last_turn() -> None:
    """What was committed belongs to one item only."""
    turns = TurnDetection(TurnSettings(silence_ms=100))

    found = followed(turns, (LOUD, 5), (QUIET, 5), (QUIET, 2), (LOUD, 5), (QUIET, 5))

    assert [each.start_ms for each in found] == [0, 0, 200, 200]
    assert [each.end_ms for each in found if isinstance(each, TurnStopped)] == [200, 440]


def test_a_cough_is_no_speech() -> None:
    """Less than 60 ms in a row is not, however often; 60 ms are."""
    turns = TurnDetection(TurnSettings())

    assert followed(turns, *[(LOUD, 2), (QUIET, 1)] * 20) == []
    assert [type(each) for each in followed(turns, (LOUD, 3))] == [TurnStarted]


def test_a_pause_within_a_turn_does_not_end_it() -> None:
    """Silence counts from the last word."""
    found = followed(TurnDetection(TurnSettings()), (LOUD, 10), (QUIET, 24), (LOUD, 1), (QUIET, 24))

    assert [type(each) for each in found] == [TurnStarted]


def test_the_threshold_is_the_sessions() -> None:
    """What is louder than the threshold counts, equal included."""
    assert followed(TurnDetection(TurnSettings(threshold=0.95)), (LOUD, 10)) == []
    assert len(followed(TurnDetection(TurnSettings(threshold=0.9)), (LOUD, 10))) == 1


def test_what_was_forgotten_is_no_part_of_a_turn() -> None:
    """Audio that was committed by hand or cleared does not begin a turn any more, even if it is judged later."""
    turns = TurnDetection(TurnSettings())
    turns.forget(1000)

    found = followed(turns, (LOUD, 50), (QUIET, 5), (LOUD, 3))

    assert [each.start_ms for each in found] == [1000]


def test_idleness_counts_from_the_end_of_a_response() -> None:
    """It comes once for each response, and not while somebody speaks or a response is in flight."""
    turns = TurnDetection(TurnSettings(idle_ms=5000, silence_ms=100))
    assert followed(turns, (QUIET, 1000)) == []
    turns.wait(turns.at_ms + 1000)

    (idle,) = followed(turns, (QUIET, 1000))

    assert isinstance(idle, IdleTimeout)
    assert (idle.start_ms, idle.end_ms) == (21_000, 26_000)
    turns.wait(turns.at_ms)
    assert [type(each) for each in followed(turns, (QUIET, 200), (LOUD, 3), (QUIET, 500))] == [TurnStarted, TurnStopped]
    turns.wait(turns.at_ms)
    turns.wait(None)
    assert followed(turns, (QUIET, 500)) == []


@pytest.mark.parametrize(("eagerness", "silence_ms"), [("high", 500), ("auto", 800), ("medium", 800), ("low", 1500)])
def test_less_eager_models_wait_longer(eagerness: str, silence_ms: int) -> None:
    """Semantic turn detection is simulated by silence."""
    settings = turn_settings({"type": "semantic_vad", "eagerness": eagerness, **BASE})

    assert settings == TurnSettings(silence_ms=silence_ms)


def test_the_rules_are_the_sessions() -> None:
    """Each of the API's settings has its effect; none means commits by hand."""
    given = {"threshold": 0.7, "prefix_padding_ms": 20, "silence_duration_ms": 240, "idle_timeout_ms": 6000}

    settings = turn_settings({"type": "server_vad", **given, "create_response": False, "interrupt_response": False})

    assert settings == TurnSettings(0.7, 20, 240, 6000, answers=False, interrupts=False)
    assert turn_settings(None) is None
