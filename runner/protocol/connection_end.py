"""The end of a connection: what is cut short, what is asked for again, and what stays without an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import EndpointUnreachable
from runner.protocol.effects import Effect, TranscriptionEnded, TurnEnded
from runner.protocol.live_turns import awaits_answer, end_turn, leave_turns
from runner.protocol.request import RESPONSE, Request
from runner.protocol.typed_text import repeated_event, says_first

if TYPE_CHECKING:
    from runner.protocol.state import SessionState


def take_over(state: SessionState, asked: Request, response_id: str = "", *, is_due: bool = False) -> None:
    """A request of the session's earlier process is pending on its last connection, which is to be ended then.

    Args:
        state: The state of a session that has had no connection yet.
        asked: The request; without an `event_id` it is for the response to a turn that was committed.
        response_id: The response to it, where one was in flight.
        is_due: Whether it was to be sent again.
    """
    if is_due:
        state.pending.to_retry.append(asked)
    elif response_id:
        state.pending.active[response_id] = asked
    elif asked.event_id:
        state.pending.requests.append(asked)
    else:
        state.pending.turn = "committed"


def end_connection(state: SessionState) -> list[Effect]:
    """End a connection, and report as incomplete the turns that were still being said."""
    state.phase = "closed"
    effects = leave_turns(state) if state.kind == "live" else []
    cut_short, transcribing = state.pending.active.copy(), state.pending.transcribing.copy()
    said = state.conversation.of_responses(cut_short)
    answerable = state.conversation.ends_with_words(but=said)
    last_words = state.conversation.last_words
    again: list[Request] = []
    moves_on = state.moves_on()
    for each in state.pending.break_off():
        may_repeat = each.failures < state.max_response_retries or moves_on
        is_retried = state.retries_lost and may_repeat and (each.event_id or answerable)
        if not each.is_filler:
            (again if is_retried else state.unanswered).append(each)
    if awaits_answer(state) and answerable and state.retries_lost and not again:
        again.append(Request("", "response", RESPONSE))
    effects += [*state.translation.break_off(state.conversation), *end_turn(state, "user", "incomplete")]
    if state.kind == "transcription":
        lost = EndpointUnreachable("the connection ended before what was said was written down")
        effects += [TranscriptionEnded(item_id, lost) for item_id in transcribing]
    for item in said:
        if not item.is_announced and item.role == "assistant" and item.text:
            item.is_announced, item.status = True, "incomplete"
            effects.append(TurnEnded(item.role, item.text, item.id, "incomplete"))
    # The halves of answers that are asked for again go, or the next ones would follow upon them.
    broken_off = {response_id for response_id, asked in cut_short.items() if asked in again}
    for response_id in cut_short.keys() - broken_off:
        made = state.conversation.of_responses({response_id})
        effects += state.rounds.call(response_id, cut_short[response_id].first_id, made, is_over=False)[0]
    state.conversation.break_off(broken_off, state.sent)
    for each in again:
        is_answer = state.kind == "live" and not says_first(each.event)
        state.pending.repeat(each._replace(event=repeated_event(last_words)) if is_answer else each)
    return effects
