"""Changes are written into a file that has bounds."""

from pathlib import Path

import pytest

from runner.errors import OutputError
from runner.resume.opened_state import header_of, open_state
from runner.resume.state_log import StateLog
from runner.resume.state_model import StateChange

_MAX_BYTES = 65536


def test_a_file_that_cannot_be_rewritten_grows_no_further_than_its_bound(tmp_path: Path) -> None:
    """Where no other file can take its place, it takes what there is room for, and then it has failed."""
    path = tmp_path / "state"
    file, saved = open_state(path, header_of("support", {}), is_fresh=False)
    log = StateLog(file, saved, _MAX_BYTES)
    (tmp_path / ".state.new").mkdir()

    def grow() -> None:
        for number in range(1000):
            change = StateChange(at_s=1.0, session_id=f"{number}" + "x" * 1000)
            saved.take(change)
            log.take(change)
            log.write()

    with pytest.raises(OutputError, match="cannot be written"):
        grow()
    log.close()

    assert _MAX_BYTES - 2000 < path.stat().st_size <= _MAX_BYTES


def test_what_waits_to_be_written_counts(tmp_path: Path) -> None:
    """A thread that is still writing when a session ends leaves the last change no more room than there is."""
    path = tmp_path / "state"
    file, saved = open_state(path, header_of("support", {}), is_fresh=False)
    log = StateLog(file, saved, _MAX_BYTES)

    for number in range(100):
        change = StateChange(at_s=1.0, session_id=f"{number}" + "x" * 1000)
        saved.take(change)
        log.take(change)
    log.write()
    log.close()

    assert path.stat().st_size <= _MAX_BYTES
