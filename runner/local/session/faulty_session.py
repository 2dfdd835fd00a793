"""A session of the local endpoint into which faults are injected."""

from typing import TYPE_CHECKING, Any

from runner.api.client_events import SessionUpdate
from runner.local.session.api_error import ApiError
from runner.local.session.effective_config import SessionKind
from runner.local.session.fault_plan import ConnectionFaults
from runner.local.session.item_store import ItemStore
from runner.local.session.realtime_session import LocalRealtimeSession
from runner.local.session.response import Response
from runner.local.session.response_request import ResponseRequest
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.engines import Engines

if TYPE_CHECKING:
    from runner.settings.faults import ResponseFailedFault


class FaultySession(LocalRealtimeSession):
    """A session whose updates and responses may fail.

    Args:
        engines: What the session detects, transcribes, answers and speaks with.
        faults: The faults that are planned for the connection.
        kind: The type of the session.
        model: The model that the client has asked for.
        expires_at: When the session ends, in Unix seconds.
        is_deployment: Whether `model` is the name of a deployment, as on Azure.
    """

    def __init__(
        self,
        engines: Engines,
        faults: ConnectionFaults,
        *,
        kind: SessionKind,
        model: str,
        expires_at: int,
        is_deployment: bool = False,
    ) -> None:
        super().__init__(engines, kind=kind, model=model, expires_at=expires_at, is_deployment=is_deployment)
        self._faults = faults

    def _update(self, update: SessionUpdate) -> list[ServerEvent]:
        if refused := self._faults.claim("refuse-update"):
            raise ApiError(refused.message, code=refused.code, param=refused.param)
        events = super()._update(update)
        if drift := self._faults.claim("drift"):
            for each in events:
                each["session"] = drifted(each["session"], drift.settings)
        return events

    def _new_response(self, request: ResponseRequest, conversation: ItemStore | None) -> Response:
        if fault := self._faults.next_failure():
            return _FailingResponse(request, conversation, fault)
        return super()._new_response(request, conversation)


class _FailingResponse(Response):
    """A response that fails after it is created, before it has an item."""

    def __init__(self, request: ResponseRequest, conversation: ItemStore | None, fault: "ResponseFailedFault") -> None:
        super().__init__(request, conversation)
        self.can_advance = True
        self._error = {"type": fault.type, "code": fault.code, "message": fault.message}

    def advance(self) -> list[ServerEvent]:
        return self._end("failed", error=self._error)

    def cancel(self, reason: str) -> list[ServerEvent]:
        return self._end("cancelled", reason=reason)

    def _end(self, status: str, **details: Any) -> list[ServerEvent]:
        self.is_done = True
        shown = self._view(status, status_details={"type": status, **details}, usage=self.usage())
        return [server_event("response.done", response=shown)]


def drifted(shown: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A session object with these settings instead of its own."""
    merged = {**shown, **change}
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(shown.get(name), dict):
            merged[name] = drifted(shown[name], value)
    return merged
