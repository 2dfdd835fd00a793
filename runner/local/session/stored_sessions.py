"""The Live sessions that were stored, so that they can be forked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from runner.local.session.live_config import LiveConfig

_MOST: Final = 256


class StoredSession(NamedTuple):
    """A session that is over.

    Args:
        config: Its configuration, as it was at the end.
        texts: Who has said what, each by its role and its text.
    """

    config: LiveConfig
    texts: list[tuple[str, str]]


class Storable(Protocol):
    """A session that may be stored once it is over."""

    id: str
    is_over: bool

    @property
    def stored(self) -> StoredSession | None:
        """What is stored of it; None for nothing."""


class StoredSessions:
    """The latest stored sessions of an endpoint, by their ids."""

    def __init__(self) -> None:
        self._sessions: dict[str, StoredSession] = {}
        self._connected: dict[str, Storable] = {}

    def open(self, session: Storable) -> None:
        """A session has a client; it can be forked as soon as it is over."""
        self._connected[session.id] = session

    def close(self, session: Storable) -> None:
        """The client of a session has left, whether it is closed or lost."""
        del self._connected[session.id]
        if session.stored is not None:
            self._sessions[session.id] = session.stored
        if len(self._sessions) > _MOST:
            del self._sessions[next(iter(self._sessions))]

    def is_open(self, session_id: str) -> bool:
        """Whether a session is not over yet."""
        return session_id in self._connected and not self._connected[session_id].is_over

    def find(self, session_id: str) -> StoredSession | None:
        """The stored session with this id; None where there is none that is over."""
        if (session := self._connected.get(session_id)) and session.is_over:
            return session.stored
        return self._sessions.get(session_id)
