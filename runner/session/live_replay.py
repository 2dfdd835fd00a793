"""The history of a Live session on its next connection: in its start, and what is said until it takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.api.session_types import LIVE_START
from runner.protocol.live_history import meanwhile_events, start_bounds, told_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.item import Item
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.live_history import Told
    from runner.protocol.state import SessionState
    from runner.session.client_event import Send
    from runner.session.history_replay import HistoryReplay
    from runner.settings.continuity import History


def first_event(
    history: HistoryReplay | LiveReplay,
    asked: JsonObject,
    bounds: History,
    first: Sequence[JsonObject] = (),
    *,
    is_fork: bool = False,
) -> JsonObject:
    """The first client event of a connection; that of a Live session brings the history too.

    Args:
        history: The history of the connection.
        asked: The `session` object that is asked for.
        bounds: How much of the conversation is replayed.
        first: The messages that a Live session's history always begins with.
        is_fork: Whether it forks a stored session, whose configuration and conversation it has already.
    """
    if not isinstance(history, LiveReplay):
        return {"type": "session.update", "session": asked}
    if is_fork:
        history.inherit(bounds)
        form = asked.get("audio", {}).get("format")
        return {"type": LIVE_START, "session": {"audio": {"format": form}} if form else {}}
    messages = history.messages(bounds, first)
    return {"type": LIVE_START, "session": {**asked, **({"input": messages} if messages else {})}}


class LiveReplay:
    """Tells one connection of a Live session of the conversation so far.

    Args:
        state: What is known of the session on this connection.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._told: frozenset[Item] = frozenset()
        self._inherited: frozenset[Item] = frozenset()
        """What a fork knows of the session that it goes on with."""

    def __len__(self) -> int:
        return len(self._told)

    def inherit(self, bounds: History) -> None:
        """Take it that the session knows all that was said, as a fork does."""
        self._inherited = frozenset(each.item for each in self._messages(bounds))

    def messages(self, bounds: History, first: Sequence[JsonObject]) -> list[JsonObject]:
        """The history that the session starts with: messages that always stand first, and as many as fit after them."""
        told = self._messages(start_bounds(bounds, first))
        self._told = frozenset(each.item for each in told)
        return [*first, *(each.message for each in told)]

    def lacks(self, bounds: History) -> bool:
        """Whether something was said that this connection was not told of."""
        return any(each.item not in self._known for each in self._messages(bounds))

    async def replay(self, send: Send, bounds: History, timeout_s: float) -> None:
        """Tell of what was said since; raises as sending does. The endpoint's confirmations are not waited for.

        Args:
            send: Sends client events on the connection.
            bounds: How much of the conversation is replayed.
            timeout_s: Not used: nothing is waited for.
        """
        del timeout_s
        told = self._messages(bounds)
        if events := list(meanwhile_events(told, self._known)):
            await send(*events)
        self._told |= {each.item for each in told} - self._inherited

    @property
    def _known(self) -> frozenset[Item]:
        return self._told | self._inherited

    def _messages(self, bounds: History) -> list[Told]:
        state = self._state
        return told_messages(state.conversation, bounds, state.configuration.output_format)
