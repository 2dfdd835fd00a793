"""The tool that is built in: with it, the model ends the session."""

from runner.settings.tool import CallSettings
from runner.settings.tool_use import END_SESSION
from runner.tools.tool_source import NO_ARGUMENTS, OfferedTool

_DESCRIPTION = (
    "End the conversation, as one hangs up a telephone. Call it when the user has said good-bye or wants nothing more; "
    "say good-bye before you do."
)
END_SESSION_TOOL = OfferedTool(END_SESSION, _DESCRIPTION, NO_ARGUMENTS, CallSettings())
"""What `run.tools.hang_up` offers."""
