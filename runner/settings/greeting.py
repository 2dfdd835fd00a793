"""How a call begins: what the agent says first."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section

SaidText = Annotated[str, Field(min_length=1, max_length=4000)]
"""A text that the agent is to say; may hold `{{name}}` of variables."""


class Greeting(Section):
    """What the agent says first, once in a session, whatever becomes of its connections."""

    text: SaidText | None = None
    """What it says, word for word as far as the model obeys; a greeting that was said otherwise is logged."""
    prompt: SaidText | None = None
    """Instead of a text, what the model is told to greet with, beside the session's instructions."""
    audio: Path | None = None
    """A WAV file of `text`, 16-bit, played instead of having the model say it; a relative path starts at the
    profile."""
    interruptible: bool = True
    """Whether the user stops it by speaking; else turn detection is told to let it be heard to its end."""
    after: Literal["ready", "user-audio", "user"] = "ready"
    """`ready`: as soon as the session is open; `user-audio`: once the user begins to be heard; `user`: in place of the
    answer to the user's first turn."""
