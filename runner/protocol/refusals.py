"""What the endpoint refuses: which client event an error is about, and which request is answered thereby."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.protocol.effects import ResponseEnded
from runner.protocol.severity import OVERTAKEN

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.protocol.effects import Effect
    from runner.protocol.request import Request
    from runner.protocol.state import SessionState


def cause_of(state: SessionState, error: object) -> tuple[str, str]:
    """The id and the type of the client event that an `error` object is about, empty where that cannot be told.

    Where it names none, it is about the oldest item that is to be confirmed yet: events are dealt with in order.
    """
    found = state.sent.cause(error)
    if found != ("", "") or not isinstance(error, dict) or error.get("code") == OVERTAKEN:
        return found
    created = state.conversation.first_unconfirmed(state.sent)
    param = error.get("param")
    is_about_item = isinstance(param, str) and param.split(".")[0] in {"item", "previous_item_id"}
    if created and (is_about_item or (state.conversation.confirms is not False and not param)):
        return created, "conversation.item.create"
    return found


def refuse(state: SessionState, cause: str, cause_type: str) -> Request | None:
    """The endpoint refuses what this client event asks for; returns the request that is thereby answered."""
    if cause:
        state.conversation.refuse(cause)
        state.configuration.refuse(cause)
    return state.pending.refused(cause, cause_type)


def refuse_doubted(state: SessionState) -> list[Effect]:
    """Take it that an error without a name refused the request that still waits, since nothing has come to it."""
    if refused := state.pending.refuse_doubted():
        asked, error = refused
        return [ResponseEnded("", "refused", error.code, error, asked.first_id)]
    return []


def refuse_unanswered(state: SessionState, error: RunnerError) -> list[Effect]:
    """Take it that the oldest request of a Live session will not be answered, for this reason.

    Where another endpoint can answer it, it is a request that has failed for good, and is asked there.
    """
    if (asked := state.pending.refused(state.requested_by, "")) is None:
        return []
    if state.moves_on():
        state.pending.repeat(asked._replace(failures=state.max_response_retries))
        return []
    return [ResponseEnded("", "refused", error.code, error, asked.first_id)]
