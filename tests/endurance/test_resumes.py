"""A conversation whose process is killed again and again, in small."""

from pathlib import Path

import pytest

from tests.endurance.resumes import converse


@pytest.mark.long
def test_what_was_written_through_is_exact_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Ended with SIGKILL at six moments, the conversation is whole; `python -m tests.endurance.resumes` takes fifty."""
    trial = converse(tmp_path, 4, ends=6, questions=8)

    assert trial.wrong == []
    assert trial.processes == 7
    assert 8 - trial.unknown <= trial.payments <= 8
