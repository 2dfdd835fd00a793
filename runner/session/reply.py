"""The answer to one question, as its pieces come."""

from __future__ import annotations

from collections import deque
from secrets import token_hex
from typing import TYPE_CHECKING

from runner.errors import EndpointUnreachable, RunnerError
from runner.protocol.effects import (
    Effect,
    ErrorReported,
    ResponseEnded,
    ResponseRetried,
    ResponseStarted,
    TextDelta,
    TurnEnded,
)
from runner.protocol.json_text import joined

if TYPE_CHECKING:
    from runner.session.carriage import Carriage
    from runner.session.update import Update


class Reply:
    """The text of the response to one question; where its request is retried, the response that came last.

    Where functions are called on the way to the answer, what is said meanwhile is a part of it.

    Args:
        carriage: Where the session is.

    Attributes:
        question_id: The `event_id` of the `conversation.item.create`.
        request_id: The `event_id` of the `response.create`.
    """

    def __init__(self, carriage: Carriage) -> None:
        name = token_hex(10)
        self.question_id, self.request_id = f"question_{name}", f"ask_{name}"
        self._carriage = carriage
        self._response_id = ""
        self._items: dict[str, str] = {}
        """The text of each item so far, by its id."""
        self._steps = ""
        """What was said on the way to the answer, while functions were called, with a line break after it."""
        self._step_pieces: deque[str] = deque()
        self._pieces: deque[str] = deque()
        self._half = ""
        """The first half of a surrogate pair that the endpoint has cut in two."""
        self._is_complete = False
        self._error: RunnerError | None = None

    @property
    def text(self) -> str:
        """The text of the response so far, and before it what was said on the way to it."""
        return self._steps + joined("".join(self._items.values()))

    def read(self, update: Update) -> None:
        """Take in an update; a reader of the session, which never waits."""
        is_related = False
        for effect in update.effects:
            if isinstance(effect, ResponseEnded) and effect.request_id == self.request_id and not self._response_id:
                # Its beginning was lost.
                self._begin(effect.response_id)
        for effect in update.effects:
            is_related = self._take(effect) or is_related
        if update.event is None and self._carriage.state.left_unanswered(self.request_id):
            link = self._carriage.link
            lost = link.pump.failure if link else None
            self._fail(lost or EndpointUnreachable("the connection was lost"))
            is_related = True
        if is_related:
            self._carriage.changes.notify()

    def cancel(self) -> None:
        """Note that the client has cancelled the request while it waited to be retried, or for functions."""
        self._is_complete = True

    async def next(self) -> str:
        """Wait for the next piece, once the request has been sent; an empty one is the end of the response.

        Raises:
            RunnerError: There is no response, or not all of it.
        """
        while not (self._step_pieces or self._pieces):
            if self._error:
                raise self._error
            if self._is_complete:
                return ""
            self._carriage.check()
            if not self._carriage.state.awaits(self.request_id):
                msg = "the question was not answered"
                raise EndpointUnreachable(msg)
            await self._carriage.changes.next()
        return (self._step_pieces or self._pieces).popleft()

    def _take(self, effect: Effect) -> bool:
        """Take in what an event means; returns whether it belongs to this response."""
        match effect:
            case ResponseStarted(response_id=response_id, request_id=self.request_id):
                self._begin(response_id)
            case ResponseRetried(request_id=self.request_id):
                self._begin("")
            case TextDelta(response_id=response_id, item_id=item_id, text=text) if response_id:
                if response_id != self._response_id:
                    return False
                self._add(item_id, text)
            case TurnEnded(role="assistant", text=text, item_id=item_id) if self._says(item_id):
                self._complete(item_id, text)
            case ResponseEnded(request_id=self.request_id, is_step=True):
                self._finish_step()
            case ResponseEnded(request_id=self.request_id, error=error):
                self._is_complete, self._error = True, self._error or error
            case ErrorReported(client_event_id=self.question_id, error=error):
                # A response that comes all the same does not answer this question.
                self._fail(error)
            case _:
                return False
        return True

    def _fail(self, error: RunnerError) -> None:
        self._error = self._error or error
        self._pieces.clear()

    def _begin(self, response_id: str) -> None:
        self._response_id, self._half = response_id, ""
        self._items.clear()
        self._pieces.clear()

    def _finish_step(self) -> None:
        """Keep what was said so far: the answer comes with a later response of the same turn."""
        if said := joined("".join(self._items.values())):
            self._steps += f"{said}\n"
            self._step_pieces.extend([*self._pieces, "\n"])
        self._begin("")

    def _says(self, item_id: str) -> bool:
        item = self._carriage.state.conversation.get(item_id)
        return item is not None and bool(self._response_id) and item.response_id == self._response_id

    def _add(self, item_id: str, text: str) -> None:
        self._items[item_id] = self._items.get(item_id, "") + text
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        if piece := joined(text.removesuffix(self._half)):
            self._pieces.append(piece)

    def _complete(self, item_id: str, text: str) -> None:
        """Take in the whole text of an item, of which not every piece need have come."""
        said = self._items.get(item_id, "")
        if text.startswith(said):
            self._add(item_id, text.removeprefix(said))
        else:
            self._items[item_id] = text
