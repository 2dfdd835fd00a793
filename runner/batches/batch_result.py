"""What has become of a row: one line of the file of results."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from runner.outputs.text import shown

RowStatus = Literal["succeeded", "failed"]
TEMPORARY_CODES = frozenset({69, 75})
"""The exit codes of failures that may pass: the endpoint cannot be reached, or is busy."""

WORKER_LOST = "worker-lost"
"""The reason of a row that may have begun, and whose worker is gone."""


class ResultTable(BaseModel):
    """A table of a result; what a later version adds is passed over."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


class RowError(ResultTable):
    """Why a row has failed."""

    message: str
    """What went wrong, for people."""
    hint: str = ""
    """What to do about it."""
    code: str = ""
    """The endpoint's code, where it has one."""


class RowLatencies(ResultTable):
    """How long things took, in milliseconds; null where something did not happen."""

    opened_ms: int | None = None
    """From the beginning of the row to its open session."""
    first_ms: int | None = None
    """From the first question, or the end of the user's speech, to the first piece of the answer."""
    done_ms: int | None = None
    """The same to the end of the answer."""


class BatchResult(ResultTable):
    """What has become of a row of a batch."""

    id: str
    """The row's id."""
    run: int = 1
    """Which of its runs it is, where rows are repeated."""
    digest: str
    """A short hash of what the row says."""
    profile: str
    """The profile's name."""
    status: RowStatus
    """Whether its session did what it was to do."""
    reason: str = ""
    """Why its session ended, as the log says it: `input-end`, `response-done`, `hung-up`, `failed`, or a budget; or
    `worker-lost`, where what ran it is gone."""
    exit_code: int
    """The exit code that a process would have had that ran this session alone."""
    error: RowError | None = None
    """Why it has failed."""
    attempts: int = 1
    """How often it was tried."""
    text: str = ""
    """What was answered; of a transcription what was said."""
    turns: list[dict[str, Any]] = []
    """Its turns, each as a line of `outputs.format = "json"` has it: input, text, status, usage, latencies."""
    usage: dict[str, int | float] = {}
    """Tokens and seconds by the names of the log, all attempts together."""
    cost: float | None = None
    """What that costs by the profile's prices."""
    latencies: RowLatencies = RowLatencies()
    """How long its last attempt took to open, and to answer."""
    started_at: str
    """When its last attempt began, in UTC as ISO 8601 has it."""
    duration_s: float
    """How long its last attempt took, in seconds."""
    run_id: str = ""
    """The id of that attempt in the log."""
    session_id: str = ""
    """The endpoint's name of its last session, nothing where none was opened."""
    files: dict[str, list[str]] = {}
    """The files that it has written, by the kind of output; `journal` is one."""

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all other results."""
        return self.id, self.run

    @property
    def may_pass(self) -> bool:
        """Whether it has failed for a reason that may pass."""
        return self.status == "failed" and self.exit_code in TEMPORARY_CODES

    @property
    def fails_all(self) -> bool:
        """Whether it has failed for a reason that every row will meet: no session can be had."""
        return not self.session_id and self.exit_code in {77, 78}

    @property
    def is_unbegun(self) -> bool:
        """Whether it has failed before there was a session, for a reason that may pass."""
        return self.may_pass and not self.session_id and self.reason != WORKER_LOST

    @property
    def tokens(self) -> int:
        """All tokens that it has used."""
        names = ("input_tokens", "output_tokens", "transcription_input_tokens", "transcription_output_tokens")
        return int(sum(self.usage.get(name, 0) for name in names))

    def after(self, earlier: BatchResult) -> BatchResult:
        """The result of one more attempt after another one, with what both have used."""
        names = [*self.usage, *(name for name in earlier.usage if name not in self.usage)]
        usage = {name: self.usage.get(name, 0) + earlier.usage.get(name, 0) for name in names}
        costs = [each.cost for each in (earlier, self) if each.cost is not None]
        # A row that has begun once does not become one that never has.
        begun = self if self.session_id or earlier.is_unbegun else earlier
        return self.model_copy(
            update={
                "attempts": earlier.attempts + 1,
                "usage": usage,
                "cost": sum(costs) if costs else None,
                "reason": begun.reason,
                "session_id": begun.session_id,
            }
        )

    def line(self) -> bytes:
        """The result as it is written, with the end of its line."""
        text = json.dumps(self.model_dump(exclude_none=True), ensure_ascii=False, allow_nan=False)
        return f"{shown(text, terminal=False)}\n".encode()
