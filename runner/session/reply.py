"""The answer to one question, as its pieces come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from runner.errors import EndpointUnreachable, RunnerError
from runner.protocol.effects import Effect, ResponseEnded, ResponseRepeats, ResponseStarted, TextDelta, TurnEnded

if TYPE_CHECKING:
    from runner.session.carriage import Carriage
    from runner.session.update import Update


class Reply:
    """The text of the response to one `response.create`; where that is retried, the response that came last.

    Args:
        carriage: Where the session is.
        request_id: The `event_id` of the `response.create`.

    Attributes:
        text: The text of the response so far.
    """

    def __init__(self, carriage: Carriage, request_id: str) -> None:
        self.text = ""
        self._carriage = carriage
        self._request_id = request_id
        self._response_id = ""
        self._items: set[str] = set()
        """The items of which pieces have come."""
        self._pieces: deque[str] = deque()
        self._is_complete = False
        self._error: RunnerError | None = None

    def read(self, update: Update) -> None:
        """Take in an update; a reader of the session, which never waits."""
        for effect in update.effects:
            if self._take(effect):
                self._carriage.changes.notify()

    async def next(self) -> str:
        """Wait for the next piece, once the request has been sent; an empty one is the end of the response.

        Raises:
            RunnerError: There is no response, or not all of it.
        """
        while not self._pieces:
            if self._error:
                raise self._error
            if self._is_complete:
                return ""
            self._carriage.check()
            if not self._carriage.state.awaits(self._request_id):
                raise self._carriage.first_unanswered or EndpointUnreachable("the question was not answered")
            await self._carriage.changes.next()
        return self._pieces.popleft()

    def _take(self, effect: Effect) -> bool:
        """Take in what an event means; returns whether it is news of this response."""
        match effect:
            case ResponseStarted(response_id=response_id):
                if self._carriage.state.request_of(response_id) == self._request_id:
                    self._begin(response_id)
            case ResponseRepeats(response_id=response_id) if response_id == self._response_id:
                self._begin("")
            case TextDelta(response_id=response_id, item_id=item_id, text=text) if response_id == self._response_id:
                self._add(item_id, text)
            case TurnEnded(role="assistant", text=text, item_id=item_id) if self._says(item_id):
                # The endpoint has sent no pieces of it.
                self._add(item_id, text)
            case ResponseEnded(response_id=response_id, error=error) if response_id == self._response_id:
                self._is_complete, self._error = True, error
            case _:
                return False
        return True

    def _begin(self, response_id: str) -> None:
        self._response_id, self.text = response_id, ""
        self._items.clear()

    def _says(self, item_id: str) -> bool:
        item = self._carriage.state.conversation.get(item_id)
        is_own = item is not None and bool(self._response_id) and item.response_id == self._response_id
        return is_own and item_id not in self._items

    def _add(self, item_id: str, text: str) -> None:
        self._items.add(item_id)
        self.text += text
        self._pieces.append(text)
