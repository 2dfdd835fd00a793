"""A Live session of the local endpoint into which faults are injected."""

from collections.abc import Callable

from runner.api.client_events import ClientEventBase
from runner.local.session.api_error import ApiError
from runner.local.session.duplex_session import DuplexSession
from runner.local.session.fault_plan import ConnectionFaults
from runner.local.session.faulty_session import drifted
from runner.local.session.server_event import ServerEvent
from runner.local.session.stored_sessions import StoredSession
from runner.local.speech.engines import Engines
from runner.settings.faults import ResponseFailedFault

_CONFIGURING = ("session.start", "session.update")


class FaultyDuplexSession(DuplexSession):
    """A Live session whose start, updates and delegated responses may fail.

    Args:
        engines: What the session detects, transcribes, answers and speaks with.
        faults: The faults that are planned for the connection.
        expires_at: When the session ends, in Unix seconds.
        clock: The time in seconds, by which the session's usage is counted.
        forked: The stored session that it goes on with, or None.
    """

    def __init__(
        self,
        engines: Engines,
        faults: ConnectionFaults,
        *,
        expires_at: int,
        clock: Callable[[], float],
        forked: StoredSession | None = None,
    ) -> None:
        super().__init__(engines, expires_at=expires_at, clock=clock, forked=forked)
        self._faults = faults

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if name not in _CONFIGURING:
            return super()._carry_out(name, client_event)
        if refused := self._faults.claim("refuse-update"):
            raise ApiError(refused.message, code=refused.code, param=refused.param)
        events = super()._carry_out(name, client_event)
        if drift := self._faults.claim("drift"):
            for each in events:
                each["session"] = drifted(each["session"], drift.settings)
        return events

    def _next_failure(self) -> ResponseFailedFault | None:
        return self._faults.next_failure()
