"""What the endpoint has still to send: answers to the client's requests, and to the turns that it has detected."""

from collections.abc import Callable
from typing import Literal

from runner.errors import RunnerError
from runner.protocol.ended_responses import EndedResponses
from runner.protocol.json_fields import JsonObject
from runner.protocol.request import RESPONSE, Request, RequestKind, conversation_of

Turn = Literal["none", "speaking", "stopped", "committed"]
"""How far turn detection is with the user's turn; `committed` while the response to it has not begun."""


MAX_RESPONSES = 1024
"""How many responses can be in flight, in the conversation and out of band; the oldest are forgotten first."""


class Pending:
    """Requests, responses and turns that are not over; every one of them ends by an event, an error or the close."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """The requests that the endpoint has not answered yet, the oldest first."""
        self.active: dict[str, Request] = {}
        """The responses in flight in the default conversation, by their ids."""
        self.out_of_band: dict[str, Request] = {}
        """The responses in flight out of band, by their ids."""
        self.to_retry: list[Request] = []
        """The requests to be sent again: the response failed for a temporary reason, or the connection was lost."""
        self.transcribing: set[str] = set()
        """The items whose audio the endpoint is still transcribing."""
        self.turn: Turn = "none"
        """How far the turn is that turn detection hears."""
        self.uncommitted = False
        """Whether the input buffer holds audio that was neither committed nor cleared."""
        self.heard_ms = 0
        """How far turn detection has come in the audio that was sent on this connection, in milliseconds."""
        self.turns = 0
        """How many turns turn detection has heard on this connection."""
        self.settled = 0
        """How often the endpoint has begun, ended, refused or confirmed something that was pending."""
        self.ended = EndedResponses()
        """The responses that are over, so that nothing begins one anew."""
        self._gave_up = False
        self._doubtful: Request | None = None
        self._doubted: tuple[str, RunnerError] | None = None

    @property
    def busy(self) -> bool:
        """Whether a response of the default conversation is requested, in flight, or to be requested again."""
        return bool(self.active or self.to_retry or self.requested_by)

    @property
    def occupied(self) -> bool:
        """Whether a second response of the default conversation would be refused now."""
        return bool(self.active or self.requested_by)

    @property
    def awaits_endpoint(self) -> bool:
        """Whether the endpoint has to send something next, and not the user who speaks."""
        awaited = self.active or self.out_of_band or self.requests or self.transcribing
        return bool(awaited) or self.turn in {"stopped", "committed"}

    @property
    def is_awaited(self) -> bool:
        """Whether anything is still to come of this connection: a response, a transcription, the user's turn."""
        return bool(self.requests or self.active or self.out_of_band or self.transcribing) or self.turn != "none"

    @property
    def left(self) -> dict[str, int]:
        """How much of each kind is still to come, as keys of a log line."""
        responses = len(self.active) + len(self.out_of_band) + len(self.to_retry)
        responses += sum(each.kind != "commit" for each in self.requests)
        commits = sum(each.kind == "commit" for each in self.requests) + (self.turn != "none")
        counts = {"responses": responses, "turns": commits, "transcriptions": len(self.transcribing)}
        return {name: count for name, count in counts.items() if count}

    @property
    def requested_by(self) -> str:
        """The id of the `response.create` for the conversation that was not answered yet, or nothing."""
        return next((each.event_id for each in self.requests if each.kind == "response"), "")

    def request_of(self, response_id: str) -> Request | None:
        """The request that a response in flight answers."""
        return self.active.get(response_id) or self.out_of_band.get(response_id)

    def awaits(self, request_id: str) -> bool:
        """Whether the request that the client first sent under this `event_id` is to be answered yet."""
        waiting = (*self.requests, *self.active.values(), *self.out_of_band.values(), *self.to_retry)
        return any(each.first_id == request_id for each in waiting)

    def ask(self, event_id: str, kind: RequestKind, event: JsonObject, *, at_s: float = 0.0, turn_id: str = "") -> None:
        """The client has sent a request, which may continue a turn; a retry goes on counting its failures."""
        past = next((each for each in self.to_retry if each.event == event), None)
        if past:
            self.to_retry.remove(past)
            self.requests.append(past._replace(event_id=event_id, retried_id=past.first_id))
        else:
            self.requests.append(Request(event_id, kind, event, retried_id=turn_id, at_s=at_s))

    def begin(self, response_id: str, response: JsonObject) -> None:
        """A response has begun: one that the client requested, or turn detection."""
        is_late = response_id in self.ended and not self._expected()
        if response_id not in self.active and response_id not in self.out_of_band and not is_late:
            self.ended.discard(response_id)
            asked = self._claim(response)
            flying = self.out_of_band if asked.kind == "out_of_band" else self.active
            flying[response_id] = asked
            if len(flying) > MAX_RESPONSES:
                del flying[next(iter(flying))]

    def begins_unannounced(self, response_id: str) -> bool:
        """Whether a piece of this response is the first that is heard of it, and something is to be answered."""
        is_known = response_id in self.active or response_id in self.out_of_band or response_id in self.ended
        return bool(response_id) and not is_known and bool(self._expected())

    def sole_response(self) -> str:
        """The only response in flight, of the conversation if it has any; nothing where there are several."""
        flying = self.active or self.out_of_band
        return next(iter(flying)) if len(flying) == 1 else ""

    def end(self, response_id: str, response: JsonObject) -> Request | None:
        """A response is over; returns the request that it answers, None where no request or turn awaited it.

        The end counts even where the beginning was lost: the request would otherwise stay pending for ever.
        """
        self.ended.add(response_id)
        for flying in (self.active, self.out_of_band):
            if response_id in flying:
                self.settled += 1
                return flying.pop(response_id)
        expected = self._expected()
        if not expected or (conversation_of(response) is None and "out_of_band" not in expected):
            return None
        return self._claim(response)

    def repeat(self, asked: Request) -> None:
        """A response has failed for a temporary reason: its request has to be sent again."""
        self.to_retry.append(asked._replace(failures=asked.failures + 1))

    def abandon(self, response_id: str) -> None:
        """A response is over and cannot be read; where its id is unknown too, all responses count as over."""
        if response_id in self.active or response_id in self.out_of_band:
            self.settled += 1
            self.active.pop(response_id, None)
            self.out_of_band.pop(response_id, None)
            return
        self.settled += 1
        self.active.clear()
        self.out_of_band.clear()
        self.requests = [each for each in self.requests if each.kind == "commit"]
        self.turn = "speaking" if self.turn == "speaking" else "none"

    def refused(self, cause: str, cause_type: str) -> Request | None:
        """An `error` event has come; returns the request for a response that it answers, if it answers one.

        Some servers leave the cause out. The oldest request is then taken for it, with a doubt: if a response to it
        begins all the same, that response counts, and a later refusal of the request it was taken for counts too.
        """
        if cause and self._doubtful and cause == self._doubtful.event_id:
            asked, self._doubtful = self._doubtful, None
            return asked
        if cause:
            found = next((each for each in self.requests if each.event_id == cause), None)
            if cause_type.startswith("input_audio_buffer.") and self.turn == "speaking":
                self.turn = "none"
        else:
            found = min(self.requests, key=lambda each: each.kind == "commit", default=None)
            self._gave_up = self._gave_up or (found is not None and found.kind == "response")
            self.turn = "none"
        if found is None:
            return None
        self.settled += 1
        self.requests.remove(found)
        return found if found.kind != "commit" else None

    def overtaken(self, cause: str, is_silent: Callable[[str], bool]) -> Request | None:
        """The endpoint refuses a response because another is in flight; returns the request that has to wait for it.

        The other one may have been taken for the answer to the request, which it is not: it is the endpoint's own.

        Args:
            cause: The `event_id` of the request, nothing where the endpoint does not name it.
            is_silent: Whether nothing has come of a response but its beginning.
        """
        waiting = [each for each in self.requests if each.kind == "response" and cause in {"", each.event_id}]
        if waiting:
            self.requests.remove(waiting[0])
            return waiting[0]
        if not cause and self.turn in {"stopped", "committed"}:
            # It is the response to a turn that was refused.
            return None
        for response_id, asked in reversed(self.active.items()):
            if asked.event_id and (asked.event_id == cause or (not cause and is_silent(response_id))):
                self.active[response_id] = Request("", "response", RESPONSE)
                self._doubtful = None
                return asked
        return None

    def doubt(self, error: RunnerError) -> None:
        """An error without a name may be about the oldest request, though it is taken for another event's."""
        self._doubted = (self.requested_by, error) if self.requested_by else None

    @property
    def is_doubted(self) -> bool:
        """Whether the oldest request may have been refused already."""
        return self._doubted is not None and self._doubted[0] == self.requested_by

    def refuse_doubted(self) -> tuple[Request, RunnerError] | None:
        """No response has come to the request that is in doubt; returns it with the error that was its refusal."""
        if self._doubted is None or (asked := self.refused(self._doubted[0], "response.create")) is None:
            return None
        _, error = self._doubted
        self._doubted = None
        return asked, error

    def wait_for_other(self, asked: Request) -> None:
        """A request has to be sent again once the response is over that has overtaken it."""
        self.settled += 1
        self.to_retry.append(asked._replace(overtaken=asked.overtaken + 1))

    def commit(self, *, answered: bool) -> None:
        """The client or turn detection has committed audio; `answered` says whether the latter makes a response."""
        self.uncommitted = False
        own = next((each for each in self.requests if each.kind == "commit"), None)
        if own:
            self.requests.remove(own)
        self.settled += bool(own or self.turn == "stopped")
        # Some servers tell of a turn only when it is over.
        self.turns += own is None and self.turn == "none"
        if own is None or self.turn == "stopped":
            self.turn = "committed" if answered else "none"
        elif self.turn == "speaking":
            self.turn = "none"

    def hear(self, turn: Turn, at_ms: int) -> None:
        """Turn detection hears a turn begin or end, at this place in the audio, in milliseconds."""
        self.turns += turn == "speaking"
        self.turn = turn
        self.heard_ms = max(self.heard_ms, at_ms)

    def drop_turn(self) -> None:
        """Turn detection hears no turn any more; the response to a committed one still comes."""
        self.uncommitted = False
        self.turn = "committed" if self.turn == "committed" else "none"

    def transcribed(self, item_id: str) -> None:
        """The endpoint has transcribed an item, or cannot."""
        # Some servers do not say which item they committed; it waits under no name.
        known = item_id if item_id in self.transcribing else ""
        self.settled += known in self.transcribing
        self.transcribing.discard(known)

    def break_off(self) -> list[Request]:
        """The connection is over, and nothing is pending any more; returns the requests without an answer.

        Those that turn detection made in the client's place have no `event_id`.
        """
        broken = [*self.active.values(), *self.out_of_band.values()]
        broken += [each for each in self.requests if each.kind != "commit"]
        if self.turn == "committed":
            broken.append(Request("", "response", RESPONSE))
        self.requests.clear()
        self.active.clear()
        self.out_of_band.clear()
        self.transcribing.clear()
        self.turn = "none"
        self.uncommitted = False
        return broken

    def _expected(self) -> list[RequestKind]:
        expected: list[RequestKind] = [each.kind for each in self.requests if each.kind != "commit"]
        return [*expected, "response"] if self.turn in {"stopped", "committed"} else expected

    def _claim(self, response: JsonObject) -> Request:
        """The request that a response answers, which is over with it.

        The API names the conversation, or says null out of band; some servers leave the field out or fill it in for
        every response. The request therefore decides, and the field where that leaves a choice.
        """
        expected, conversation = self._expected(), conversation_of(response)
        kind: RequestKind = "out_of_band" if conversation is None else "response"
        if expected and (kind not in expected or conversation == ""):
            kind = expected[0]
        found = next((each for each in self.requests if each.kind == kind), None)
        if found:
            self.settled += 1
            self.requests.remove(found)
        if kind == "response":
            answers_turn = self.turn in {"stopped", "committed"}
            self.settled += answers_turn
            self._doubtful = found if self._gave_up or answers_turn else None
            self._gave_up = False
            if answers_turn:
                self.turn = "none"
        return found or Request("", kind, RESPONSE)
