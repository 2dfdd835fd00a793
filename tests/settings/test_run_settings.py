"""How long a session runs and how it ends, and what it logs."""

from typing import Any

import pytest

from runner.settings.run_settings import LoggingSettings, RunSettings
from tests.settings.conftest import Refused


def test_the_defaults() -> None:
    """One session runs until its input ends and has ten seconds to end."""
    run = RunSettings()

    assert (run.until, run.grace_s, run.sessions, run.loop) == ("input-end", 10.0, 1, "auto")
    assert (run.on_drift, run.stall_timeout_s, run.max_response_retries) == ("warn", 60.0, 2)
    assert LoggingSettings().model_dump() == {"level": "info", "format": "auto"}


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"until": "midnight"}, {"until": "literal_error"}),
        ({"grace_s": 0}, {}),
        ({"grace_s": -1}, {"grace_s": "greater_than_equal"}),
        ({"sessions": 0}, {"sessions": "greater_than_equal"}),
        ({"sessions": 100_001}, {"sessions": "less_than_equal"}),
        ({"loop": "trio"}, {"loop": "literal_error"}),
        ({"stall_timeout_s": 0}, {"stall_timeout_s": "greater_than"}),
        ({"max_response_retries": 101}, {"max_response_retries": "less_than_equal"}),
        ({"limits": {"max_turns": 0}, "history": {"max_items": -1}}, None),
        ({"unti": "signal"}, {"unti": "extra_forbidden"}),
    ],
)
def test_a_run_refuses(refused: Refused, table: dict[str, Any], errors: dict[str, str] | None) -> None:
    """Every error is reported at once, those of tables within it too."""
    within = {"limits.max_turns": "greater_than", "history.max_items": "greater_than_equal"}

    assert refused(RunSettings, table) == (within if errors is None else errors)


def test_logs_have_levels(refused: Refused) -> None:
    """An unknown level or format is refused."""
    assert refused(LoggingSettings, {"level": "trace", "format": "xml"}) == {
        "level": "literal_error",
        "format": "literal_error",
    }
