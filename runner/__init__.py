"""rt-run: realtime AI sessions from TOML profiles.

The names below are the Python API; each is imported when it is first used, since the command line starts here too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.profile import LoadedProfile, load_profile
    from runner.session.opening import open_session
    from runner.session.session import Session

__version__ = "0.1.0"

__all__ = ["LoadedProfile", "RunnerError", "Session", "__version__", "load_profile", "open_session"]

_HOMES = {
    "LoadedProfile": "runner.profile",
    "RunnerError": "runner.errors",
    "Session": "runner.session.session",
    "load_profile": "runner.profile",
    "open_session": "runner.session.opening",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
