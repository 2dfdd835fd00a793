"""What holds for all tools of a session, also where the profile has none."""

from typing import Annotated, Final

from pydantic import Field

from runner.api.strict import Section

END_SESSION: Final = "end_session"
"""The built-in tool with which the model ends the session."""

SayAfter = Annotated[int, Field(ge=0, le=60_000)]
Instruction = Annotated[str, Field(min_length=1)]


class ToolUse(Section):
    """What holds for all tools of a session."""

    say_after_ms: SayAfter | None = None
    """When the agent says `say`, in milliseconds after a call was made; without it 1500 where the session speaks,
    and never where it writes."""
    say: Instruction = "Say in a few words, in the language of the conversation, that you are looking it up."
    """What the agent is told to say while a call takes long."""
    max_rounds: Annotated[int, Field(ge=1, le=1000)] = 8
    """How often in one turn the model may be given results and asked to go on."""
    approval_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 60.0
    """A call that nobody has approved by then is denied, in seconds."""
    hang_up: bool = False
    """Offer the tool `end_session`, with which the model ends the session after it has said good-bye."""
