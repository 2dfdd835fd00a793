"""What of a session is not written down yet: the state of the session, compared with what its file says."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any, Final

from runner.protocol.request import GO_ON
from runner.resume.state_model import SavedCall, SavedItem, SavedRequest, SavedRound, SavedWork, StateChange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from runner.protocol.item import Item
    from runner.protocol.request import Request
    from runner.protocol.rounds import Round
    from runner.protocol.state import SessionState
    from runner.resume.saved_state import SavedState
    from runner.resume.state_model import CallProgress

WATCHED: Final = 128
"""How many of the newest items may still change: older ones are only missed when they are gone."""

_NOTHING: Final = SavedWork()


class Snapshot:
    """Finds what has changed in a session.

    Args:
        saved: What is written down; `change` keeps it up to date.
    """

    def __init__(self, saved: SavedState) -> None:
        self._saved = saved
        self._ids = list(saved.items)
        self._signs: dict[str, tuple[object, ...]] = {}
        """By its id, what was written down of an item that may change."""
        self._left_out: set[str] = set()
        """The items that the file has no room for."""
        self._older: list[str] = []
        self._older_kept: list[str] = []
        """Which of them are written down: for as long as they are the same, that is known."""

    def know(self, state: SessionState) -> None:
        """Take the items of a state for those that are written down, which they are."""
        self._signs = {each.id: _sign(each) for each in state.conversation.items}

    def leave_out(self, item_ids: Iterable[str]) -> None:
        """Miss these items no longer."""
        for each in item_ids:
            self._left_out.add(each)
            self._signs.pop(each, None)
        self._ids, self._older = list(self._saved.items), []

    def change(self, state: SessionState, calls: dict[str, CallProgress], **told: Any) -> StateChange | None:
        """What has changed since the last call, None where nothing has.

        Args:
            state: The state of the session.
            calls: How far its calls are; those whose output stands in the conversation are taken out.
            told: Other fields of the change, which are in it where they differ.
        """
        late, newest = self._kept(state)
        new: dict[str, Any] = self._of_items(late, newest)
        work = _work(state, {each.response_id for each in newest})
        if work != self._saved.work:
            new["work"] = work
        if calls or self._saved.calls:
            for answered in [each for each in calls if _has_output(state, each)]:
                del calls[answered]
            differing: dict[str, CallProgress | None] = dict.fromkeys(self._saved.calls.keys() - calls.keys())
            differing |= {name: each for name, each in calls.items() if self._saved.calls.get(name) != each}
            if differing:
                new["calls"] = differing
        new |= {name: value for name, value in told.items() if value != getattr(self._saved, name)}
        if not new:
            return None
        found = StateChange.of(at_s=time(), **new)
        self._saved.take(found)
        return found

    def _kept(self, state: SessionState) -> tuple[list[Item], list[Item]]:
        """The older items that are still to be written down, and the newest items that are, or are to be."""
        conversation, flying = state.conversation, state.pending.active
        ids = conversation.ids
        if len(self._left_out) > len(ids):
            self._left_out.intersection_update(ids)
        older = ids[:-WATCHED]
        late: list[Item] = []
        if older != self._older:
            unknown = (conversation.by_id[each] for each in older if each not in self._signs)
            late = [each for each in unknown if _is_kept(each, flying) and each.id not in self._left_out]
            self._signs.update((each.id, ()) for each in late)
            self._older, self._older_kept = older, [each for each in older if each in self._signs]
        newest = [conversation.by_id[each] for each in ids[-WATCHED:]]
        return late, [each for each in newest if _is_kept(each, flying) and each.id not in self._left_out]

    def _of_items(self, late: Sequence[Item], newest: Sequence[Item]) -> dict[str, Any]:
        new: dict[str, Any] = {}
        signs = {each.id: _sign(each) for each in newest}
        ids = [*self._older_kept, *signs]
        changed = [each for each in newest if self._signs.get(each.id) != signs[each.id]]
        if ids != self._ids:
            known, there = set(self._ids), set(ids)
            gone = [each for each in self._ids if each not in there]
            if gone:
                new["gone"] = tuple(gone)
                for each in gone:
                    self._signs.pop(each, None)
            left = [each for each in self._ids if each in there] if gone else self._ids
            if [*left, *(each for each in ids if each not in known)] != ids:
                new["order"] = tuple(ids)
            self._ids = ids
        if late or changed:
            new["items"] = tuple(_saved_item(each) for each in (*late, *changed))
            self._signs.update((each.id, signs[each.id]) for each in changed)
        return new


def _has_output(state: SessionState, call_item_id: str) -> bool:
    call = state.conversation.get(call_item_id)
    return call is not None and state.conversation.output_of(call) is not None


def _is_kept(item: Item, flying: Mapping[str, Request]) -> bool:
    if item.leaving or (item.response_id and item.status == "in_progress"):
        return False
    match item.type:
        case "message":
            return bool(item.wholes or item.parts)
        case "function_call":
            # Of a response that is not over, no call has begun: the response is asked for again.
            return bool(item.call_id) and item.response_id not in flying
        case "function_call_output":
            return bool(item.call_id)
    return False


def _sign(item: Item) -> tuple[object, ...]:
    """What differs when an item has changed."""
    return (
        item.is_announced,
        item.status,
        item.heard_ms,
        item.audio_characters,
        item.call_id,
        *map(len, item.parts.values()),
        *item.wholes.values(),
    )


def _saved_item(item: Item) -> SavedItem:
    return SavedItem.of(
        id=item.id,
        type=item.type,
        role=item.role,
        texts=item.texts,
        status=item.status,
        is_announced=item.is_announced,
        call_id=item.call_id,
        name=item.name,
        server=item.server,
        phase=item.phase,
        languages=item.languages,
        audio_characters=item.audio_characters,
        heard_ms=item.heard_ms,
        response_id=item.response_id,
    )


def _work(state: SessionState, made: Collection[str]) -> SavedWork:
    """The turns that are not over, by which a next process asks again, answers calls, and goes on.

    Args:
        state: The state of the session.
        made: The responses of which something is written down, which goes with them where they are asked for again.
    """
    pending = state.pending
    flying = [*pending.active.items(), *(("", each) for each in pending.requests)]
    requests = [_saved_request(each, is_due=True) for each in pending.to_retry if _is_asked(each)]
    requests += [_saved_request(each, response_id=at if at in made else "") for at, each in flying if _is_asked(each)]
    if pending.turn == "committed":
        requests.append(SavedRequest.of(event={"type": "response.create"}))
    going_on = {each.event_id: state.rounds.turns.get(each.event_id) for each in requests if _goes_on(each)}
    rounds = [each for each in state.rounds.open if not _is_followed(each, going_on)]
    if not (requests or rounds):
        return _NOTHING
    first = {each.first_id for each in requests} | {each.turn_id for each in rounds}
    turns = {name: turn for name, turn in state.rounds.turns.items() if turn[0] in first}
    return SavedWork.of(requests=tuple(requests), rounds=tuple(map(_saved_round, rounds)), turns=turns)


def _goes_on(request: SavedRequest) -> bool:
    return request.event_id.startswith(GO_ON)


def _is_followed(round_: Round, going_on: Mapping[str, tuple[str, int] | None]) -> bool:
    """Whether one of these requests continues the turn after this round, so that nothing is left to do about it."""
    return any(turn == (round_.turn_id or event_id, round_.number) for event_id, turn in going_on.items())


def _is_asked(request: Request) -> bool:
    return request.kind == "response" and not request.is_filler


def _saved_request(request: Request, *, response_id: str = "", is_due: bool = False) -> SavedRequest:
    return SavedRequest.of(
        event_id=request.event_id,
        event=request.event,
        first_id=request.retried_id,
        failures=request.failures,
        overtaken=request.overtaken,
        at_s=request.at_s,
        response_id=response_id,
        is_due=is_due,
    )


def _saved_round(round_: Round) -> SavedRound:
    calls = [
        SavedCall.of(call_id=each.call_id, name=each.name, arguments=each.arguments, item_id=each.item_id)
        for each in round_.calls
    ]
    return SavedRound.of(
        response_id=round_.response_id,
        turn_id=round_.turn_id,
        number=round_.number,
        calls=tuple(calls),
        has_words=round_.has_words,
        standing=round_.standing,
    )
