"""The limit of files and sockets that the process may have open."""

import resource
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner import logs
from runner.settings.endpoint import LocalEndpoint

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile
    from runner.settings.profile import Profile

_SOCKETS = 2
"""The sockets of one session: its connection, and the one that replaces it."""
_OTHERS = 256
"""The files of the process itself, and the sockets of attempts to connect that run at the same time."""
_CLIENTS = 16_384
"""The clients that a server takes at the same time, if the system lets it; those beyond wait."""


def allow(profiles: "Sequence[LoadedProfile]") -> None:
    """Raise the soft limit to what all sessions of these profiles need, and warn where the hard limit is lower."""
    needed = sum(loaded.profile.run.sessions * _needed(loaded.profile) for loaded in profiles)
    _raise_to(_OTHERS + needed, is_needed=True)


def allow_sessions(profile: "Profile", sessions: int) -> None:
    """The same for so many sessions of one profile, each of which may hear a recording of its own."""
    _raise_to(_OTHERS + sessions * (_needed(profile) + 1), is_needed=True)


def allow_clients() -> None:
    """Raise the soft limit to what a server of many clients takes, as far as the hard limit allows."""
    _raise_to(_OTHERS + _CLIENTS, is_needed=False)


def _raise_to(needed: int, *, is_needed: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    # Not to the hard limit, which may be a thousand million: programs that we start may go through all numbers.
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if is_needed and limit < needed:
        hint = "raise it with `ulimit -Hn`, or LimitNOFILE= in the unit; some sessions may fail to open"
        logs.logger().warning("open_files_limited", limit=limit, needed=needed, hint=hint)


def _needed(profile: "Profile") -> int:
    sockets = 0 if isinstance(profile.endpoint, LocalEndpoint) else _SOCKETS
    files = sum(not each.uses_stdout for each in profile.outputs)
    return sockets + files + (profile.journal is not None)
