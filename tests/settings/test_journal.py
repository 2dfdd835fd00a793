"""The journal's own settings."""

from typing import Any

import pytest

from runner.settings.journal import JournalSettings
from tests.settings.conftest import Refused


def test_a_journal_keeps_no_audio_by_default() -> None:
    """It is bounded in size, and loses a second at most."""
    assert JournalSettings(path="journal.jsonl").model_dump(exclude={"path", "max_queue_bytes"}) == {
        "audio": "hash",
        "max_bytes": 64 * 1024 * 1024,
        "keep": 10,
        "flush_interval_s": 1.0,
    }


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({}, {"path": "missing"}),
        ({"path": "{0}.jsonl"}, {"path": "value_error"}),
        ({"path": "j", "keep": 0}, {"keep": "greater_than_equal"}),
        ({"path": "j", "max_bytes": 1}, {"max_bytes": "greater_than_equal"}),
        ({"path": "j", "flush_interval_s": 0}, {}),
        ({"path": "j", "audio": "drop"}, {"audio": "literal_error"}),
    ],
)
def test_a_journal_refuses(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """Its path has the placeholders of an output's."""
    assert refused(JournalSettings, table) == errors
