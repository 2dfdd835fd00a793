"""Which event loop a process runs on."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from runner.errors import ProfileError
from runner.installation import install_command

if TYPE_CHECKING:
    from runner.settings.profile import Profile


def uses_uvloop(profile: "Profile") -> bool:
    """Whether the loop is uvloop's, as `run.loop` says; raises `ProfileError` where it is asked for and not there."""
    loop = profile.run.loop
    is_there = loop != "asyncio" and find_spec("uvloop") is not None
    if loop == "uvloop" and not is_there:
        raise ProfileError(
            "`run.loop` is uvloop, which is not installed", hint=install_command("fast"), code="library-missing"
        )
    return is_there
