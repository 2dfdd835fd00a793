"""Many sessions of one command, some of which fail."""

from pathlib import Path

from tests.endurance.crowd import drained, failing


def test_sessions_that_fail_leave_the_others_alone(tmp_path: Path) -> None:
    """A tenth is refused in mid-answer; all others answer and end well."""
    found = failing(tmp_path, 40)

    assert found == {"failed": 4, "exit_codes": {"77": 4, "0": 36}, "answered": 36, "took_s": found["took_s"]}


def test_a_crowd_is_drained_by_one_signal(tmp_path: Path) -> None:
    """All sessions of a process close as they should."""
    found = drained(tmp_path, 40)

    assert (found["exit_code"], found["closed_well"]) == (0, 40)
