"""What has become of a row that was tried several times."""

from typing import Any

import pytest

from runner.batches.batch_result import WORKER_LOST, BatchResult


def attempt(**changes: Any) -> BatchResult:
    """An attempt that has failed because the endpoint could not be reached."""
    told = {"digest": "d", "profile": "p", "status": "failed", "reason": "failed", "exit_code": 69}
    return BatchResult.model_validate({"id": "1", **told, "started_at": "", "duration_s": 1.0, **changes})


@pytest.mark.parametrize(
    "earlier", [{"session_id": "s", "cost": 0.5, "usage": {"input_tokens": 7}}, {"reason": WORKER_LOST}]
)
def test_a_row_that_has_begun_stays_one(earlier: dict[str, Any]) -> None:
    """It is not left as one that could not begin, and what it has cost is not forgotten."""
    whole = attempt().after(attempt().after(attempt(**earlier)))

    assert not whole.is_unbegun
    assert (whole.attempts, whole.cost, whole.tokens) == (3, earlier.get("cost"), 7 if "cost" in earlier else 0)
    assert attempt().after(attempt()).is_unbegun
