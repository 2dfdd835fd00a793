"""The state of a session as its file has it, for the connection that goes on with it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from runner.protocol.connection_end import end_connection, take_over
from runner.protocol.counts import Counts
from runner.protocol.effects import FunctionCalled
from runner.protocol.item import Item, WholeText
from runner.protocol.request import RESPONSE, Request
from runner.protocol.rounds import Round
from runner.protocol.usage import Usage

if TYPE_CHECKING:
    from runner.protocol.state import SessionState
    from runner.resume.saved_state import SavedState
    from runner.resume.state_model import SavedItem, SavedRequest, SavedRound

_NUMBERS: Final = 1_000_000
"""How many client events of one process have numbers of their own."""


def restore(saved: SavedState, state: SessionState) -> None:
    """Put what was written down into the state of a session that has had no connection yet.

    A process that has ended is a connection that is lost: what was in flight is asked for again, or given up, as the
    profile says.
    """
    state.sent.numbers = count(saved.starts * _NUMBERS + 1)
    for each in saved.items.values():
        state.conversation.restore(_item(each))
    counts, earlier = saved.counts, {name: Usage(**each) for name, each in saved.usage.items()}  # type: ignore[arg-type]  # counts are whole, seconds are not
    state.usage = sum(earlier.values(), Usage())
    state.counts = Counts(counts.turns, counts.calls, counts.errors, counts.lived_s, earlier)
    state.rounds.restore([_round(each) for each in saved.work.rounds], saved.work.turns)
    for asked in saved.work.requests:
        take_over(state, _request(asked), asked.response_id, is_due=asked.is_due)
    # What is not finished was not written down, so that nobody has to learn of its end.
    end_connection(state)


def _item(saved: SavedItem) -> Item:
    item = Item(saved.id, saved.type, saved.role)
    item.wholes = {index: WholeText(text, 0) for index, text in saved.texts.items()}
    item.status, item.is_announced = saved.status, saved.is_announced
    item.call_id, item.name, item.server, item.phase = saved.call_id, saved.name, saved.server, saved.phase
    item.languages, item.response_id = saved.languages, saved.response_id
    item.audio_characters, item.heard_ms = saved.audio_characters, saved.heard_ms
    return item


def _request(saved: SavedRequest) -> Request:
    event = saved.event if saved.event_id else RESPONSE
    return Request(
        saved.event_id, "response", event, saved.failures, saved.first_id, overtaken=saved.overtaken, at_s=saved.at_s
    )


def _round(saved: SavedRound) -> Round:
    calls = [
        FunctionCalled(saved.response_id, each.call_id, each.name, each.arguments, each.item_id) for each in saved.calls
    ]
    return Round(saved.response_id, saved.turn_id, saved.number, calls, (), saved.has_words, saved.standing)
