"""One run of a batch: how its signals and its results make its exit code."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from runner.batches.batch_driver import BatchDriver
from runner.batches.batch_plan import BatchPlan
from runner.batches.batch_run import BatchRun
from runner.batches.results_file import ResultsFile
from runner.batches.session_limiter import LocalLimiter
from runner.errors import OutputError, UsageError
from runner.profile import LoadedProfile, load_profile
from runner.settings.batch_settings import BatchSettings
from tests.batches.test_results_file import result


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedProfile:
    """A profile."""
    (tmp_path / "p.toml").write_text('version = 1\n[endpoint]\nkind = "local"\n')
    return load_profile(str(tmp_path / "p.toml"), environ={})


@pytest.fixture
def batch(tmp_path: Path, loaded: LoadedProfile) -> BatchRun:
    """A batch of two rows without results."""
    rows = [{"id": number, "input": "Hello"} for number in range(2)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return BatchRun(loaded, tmp_path / "rows.jsonl", tmp_path / "results.jsonl")


def test_what_has_a_result_makes_the_exit_code(batch: BatchRun) -> None:
    """75 while rows are left, then 1 where one has failed, and 0 where none has."""
    assert (batch.totals.rows, batch.exit_code) == (2, 75)
    batch.totals.take(result("0"))
    batch.totals.take(result("1"))
    assert batch.exit_code == 0
    batch.totals.failed += 1
    assert batch.exit_code == 1
    batch._results.close()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_second_signal_forces_whatever_has_stopped_the_batch(batch: BatchRun, loaded: LoadedProfile) -> None:
    """Also where its budget was spent before the first one."""
    settings = BatchSettings()
    batch.driver = BatchDriver(iter(()), [], batch._results, LocalLimiter(settings), batch.totals, loaded)
    batch.driver._stop("max_cost")

    batch._take_signal(signal.SIGTERM)
    assert batch.exit_code == 75
    batch._take_signal(signal.SIGINT)
    assert batch.exit_code == 130
    batch._results.close()


def test_another_profiles_results_are_refused(tmp_path: Path, batch: BatchRun, loaded: LoadedProfile) -> None:
    """And the file is let go of, for whoever runs the right one."""
    batch._results.close()
    (tmp_path / "results.jsonl").write_bytes(result("0", profile="other").line())

    with pytest.raises(UsageError, match="has results of the profile other, and this is p"):
        BatchRun(loaded, tmp_path / "rows.jsonl", tmp_path / "results.jsonl")

    ResultsFile(tmp_path / "results.jsonl").close()


def test_a_batch_that_has_written_results_meanwhile_is_noticed(
    tmp_path: Path, batch: BatchRun, loaded: LoadedProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While rows are judged there may be no file yet, and so no lock; nothing is written to what was not read."""
    batch._results.close()
    path = tmp_path / "results.jsonl"
    path.unlink()
    check = BatchPlan.check

    def judged(*given: Any) -> int:
        path.write_bytes(result("0").line())
        return check(*given)

    monkeypatch.setattr(BatchPlan, "check", judged)
    with pytest.raises(OutputError, match="another batch has written"):
        BatchRun(loaded, tmp_path / "rows.jsonl", path)

    assert path.read_bytes() == result("0").line()
    ResultsFile(path).close()
