"""What becomes of silence: the agent asks whether somebody is there, and hangs up."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section
from runner.settings.greeting import SaidText


class Idle(Section):
    """What the agent does where neither side says anything, counted from what was heard."""

    after_s: Annotated[float, Field(gt=0, le=86400)]
    """How long nobody may be heard before each of the following, in seconds; while tools run, nobody is idle."""
    texts: list[SaidText] = []
    """What the agent says, one after the other, word for word; the first again once the user was heard."""
    goodbye: SaidText | None = None
    """What it says last, before the session ends with the reason `idle`."""
