"""Whether a Live session goes on by the fork of its stored session, in place of a new one that is told of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner import logs
from runner.errors import EndpointUnreachable
from runner.session.carriage import Between

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.protocol.state import SessionState
    from runner.session.carriage import Carriage
    from runner.session.provider import Provider

AUDIO_AGE_S: Final = 20.0
"""How long audio may wait while a stored session is closed on purpose and forked, in seconds."""


class Forks:
    """Decides, attempt by attempt, what a session's next connection forks; a refused fork is not asked for twice.

    Args:
        carriage: Where the session is.
    """

    def __init__(self, carriage: Carriage) -> None:
        self._carriage = carriage
        self._asked = ""
        """The stored session that the attempt in hand forks; nothing where it forks none."""
        self._is_answered = False
        """Whether the endpoint has let that attempt in."""
        self._refused = ""
        """The stored session that the endpoint does not fork."""

    def would_fork(self, state: SessionState) -> bool:
        """Whether the session can go on by a fork of what it is on this connection, once that is closed."""
        is_stored = state.kind == "live" and state.configuration.effective.get("store") is True
        return is_stored and state.session_id not in {"", self._refused}

    async def source(self, provider: Provider) -> str:
        """The stored session that an attempt by this provider forks, once it is closed; nothing where it forks none."""
        self._asked, self._is_answered = "", False
        carriage = self._carriage
        last = carriage.state
        is_followed = isinstance(carriage.place, Between) and provider.is_where(carriage.provider)
        if is_followed and not carriage.renewal and self.would_fork(last):
            while not last.is_over:
                await carriage.changes.next()
            self._asked = last.session_id
        return self._asked

    def let_in(self) -> None:
        """The endpoint has accepted the connection of the attempt."""
        self._is_answered = True

    def failed(self, error: RunnerError, provider: Provider) -> bool:
        """Note that an attempt has failed; returns whether one that forks nothing is to be made at once.

        Whatever the endpoint answers but a session is a refusal. One that cannot be reached has refused nothing, unless
        it breaks the connection off each time up to the last attempt.
        """
        asked, self._asked = self._asked, ""
        is_unreached = isinstance(error, EndpointUnreachable) and not (error.status or self._is_answered)
        if not asked or (is_unreached and not provider.backoff.is_spent):
            return False
        self._refused = asked
        logs.logger().warning("fork_refused", endpoint_session_id=asked, **error.facts)
        return True
