"""How a session outlives its connections: defaults that suit the hosted services, and bounds."""

from typing import Any

import pytest

from runner.settings.continuity import History, Reconnect, Rollover
from tests.settings.conftest import Refused


def test_the_defaults_keep_a_session_alive() -> None:
    """A lost connection is replaced, a response asked for again, and the conversation replayed."""
    assert Reconnect().model_dump() == {
        "max_attempts": 10,
        "initial_delay_s": 0.5,
        "max_delay_s": 30.0,
        "stable_s": 60.0,
        "response_in_flight": "retry",
        "max_audio_age_s": 2.0,
        "classify": {},
    }
    assert Rollover().model_dump() == {"margin_s": 60.0, "max_age_s": None}
    assert History().model_dump() == {"max_items": 256, "max_tokens": 16_000}


@pytest.mark.parametrize(
    ("kind", "table", "errors"),
    [
        (Reconnect, {"max_attempts": 0, "stable_s": 0, "max_audio_age_s": 0}, {}),
        (Reconnect, {"max_attempts": -1}, {"max_attempts": "greater_than_equal"}),
        (Reconnect, {"initial_delay_s": 0}, {"initial_delay_s": "greater_than"}),
        (Reconnect, {"max_delay_s": 3601}, {"max_delay_s": "less_than_equal"}),
        (Reconnect, {"response_in_flight": "wait"}, {"response_in_flight": "literal_error"}),
        (Reconnect, {"classify": {"1008": "temporary", "insufficient_quota": "hopeless"}}, {}),
        (Reconnect, {"classify": {"10 08": "temporary"}}, {"classify.10 08.[key]": "string_pattern_mismatch"}),
        (Reconnect, {"classify": {"1008": "maybe"}}, {"classify.1008": "literal_error"}),
        (Rollover, {"margin_s": 0}, {}),
        (Rollover, {"max_age_s": 0}, {"max_age_s": "greater_than"}),
        (History, {"max_items": 0, "max_tokens": 0}, {}),
        (History, {"max_items": 4097}, {"max_items": "less_than_equal"}),
        (History, {"items": 1}, {"items": "extra_forbidden"}),
    ],
)
def test_continuity_has_bounds(refused: Refused, kind: type, table: dict[str, Any], errors: dict[str, str]) -> None:
    """Zero turns off what may be turned off, and nothing else."""
    assert refused(kind, table) == errors
