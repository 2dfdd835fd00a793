"""Calls of tools as a session makes them: through a toolbox, of a profile that is judged as any other."""

from pathlib import Path
from typing import Any

from runner.profile import make_profile
from runner.tools.profile_tools import profile_sources
from runner.tools.tool_result import ToolResult
from runner.tools.toolbox import open_toolbox

NUMBERED = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
"""The schema of a tool that takes the number of an order."""


def command(script: str, **settings: Any) -> dict[str, Any]:
    """A tool that a shell runs."""
    run = {"kind": "command", "argv": ["/bin/sh", "-c", script], **settings.pop("run", {})}
    return {"name": "look_up", "run": run, **settings}


async def called(table: dict[str, Any], arguments: str = "") -> ToolResult:
    """The result of one call of this tool."""
    profile = make_profile(endpoint={"kind": "local"}, tools=[table])
    async with open_toolbox(profile_sources(profile)) as toolbox:
        await toolbox.ready()
        return await toolbox.call(table["name"], arguments, "call_1")


def is_running(pid: int) -> bool:
    """Whether a process is there and does not only wait for its parent to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
