"""Who does what the model of a Live session delegates to the client."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.tool import CallTimeout, CommandRun, HttpRun, PythonRun


class DelegateSettings(Section):
    """What does the model's tasks: it gets the conversation since the last one, and answers what is to be said."""

    run: Annotated[CommandRun | HttpRun | PythonRun, Field(discriminator="kind")]
    """How it is run; a Python function takes `delegation_id` and `transcript`."""
    timeout_s: CallTimeout = 60.0
    """How long a task may take, in seconds; the model is then told that it cannot be done."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 4
    """How many tasks of one session run at once; others wait."""
    max_output_bytes: Annotated[int, Field(ge=256, le=16 * 1024 * 1024)] = 32 * 1024
    """The largest answer, in bytes of UTF-8; what is longer is cut."""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """How often a task that has failed is tried again; only for what does no harm when it is done twice."""
    log: Literal["full", "redacted", "none"] = "redacted"
    """What the log shows of tasks and answers: all, names and sizes only, or nothing."""
    progress_after_s: Annotated[float, Field(gt=0, le=3600)] = 8.0
    """After so long, and again as often, the model is told that the task is still being done, in seconds."""
