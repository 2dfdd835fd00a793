"""Every fault of the local endpoint, met by the command: the table of docs/reliability.md."""

from pathlib import Path

import anyio
import pytest

from tests.endurance.cases import CASES, Case
from tests.endurance.trial import tried


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_fault_ends_as_it_should(case: Case, tmp_path: Path) -> None:
    """The session is not affected, or recovers, or ends with the exit code that says why."""
    verdict = anyio.run(tried, case, tmp_path)

    assert verdict.outcome == case.outcome
