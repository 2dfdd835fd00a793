"""From a profile's name to one validated `Profile` that knows where each of its values came from.

The names below are imported when they are first used: a list of names needs no schema.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile, load_profile, make_profile
    from runner.profile.origins import Origin, Origins
    from runner.profile.problems import Problem, ProfileProblems

__all__ = ["LoadedProfile", "Origin", "Origins", "Problem", "ProfileProblems", "load_profile", "make_profile"]

_HOMES = {
    "Problem": "runner.profile.problems",
    "LoadedProfile": "runner.profile.load",
    "Origin": "runner.profile.origins",
    "Origins": "runner.profile.origins",
    "ProfileProblems": "runner.profile.problems",
    "load_profile": "runner.profile.load",
    "make_profile": "runner.profile.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
