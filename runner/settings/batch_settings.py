"""How `rt-run batch` goes through its rows: how many sessions at once, how fast, and for how much."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section


class BatchSettings(Section):
    """What holds for all rows of a batch together; what holds for each stands in `run.limits`."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    """How many sessions there are at once, in all workers together."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """How many processes run them; by default one for every sixteen sessions at once and every fifty rows, and no more
    than there are cores."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 1
    """How often a row is tried whose session fails for a reason that may pass; 1 pays for no session twice."""
    max_sessions_per_minute: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """The most sessions that begin in a minute, each attempt counted; they begin at even distances."""
    max_tokens_per_minute: Annotated[int, Field(gt=0)] | None = None
    """The most tokens that sessions use in a minute; a session begins where what is expected of it still fits."""
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The most money for all rows, in the currency of `run.limits.prices`; rows that have begun end. What earlier runs
    of the batch have results of is included, and what rows had cost that were left is not."""
    max_consecutive_failures: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """So many rows that fail one after another end the batch: what fails them all is not the rows."""
