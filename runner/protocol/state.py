"""A session as a state machine without I/O: `receive` returns what an event means, `send` what goes on the wire.

The machine holds the conversation, the responses in flight and the usage. It never raises for what the endpoint
sends; a caller of `send` that asks for what the state forbids gets `IllegalEvent`.
"""

from collections.abc import Callable
from typing import Literal

from runner.api.session_types import APPEND, APPENDS, SessionType, check_kind
from runner.errors import IllegalEvent
from runner.protocol.closing import Closing
from runner.protocol.configuration import Configuration
from runner.protocol.conversation import Conversation
from runner.protocol.counts import Counts
from runner.protocol.hosted_servers import HostedServers
from runner.protocol.json_fields import JsonObject
from runner.protocol.live import Live
from runner.protocol.pending import Pending
from runner.protocol.rate_limits import RateLimits
from runner.protocol.reported_once import ReportedOnce
from runner.protocol.request import RESPONSE, Request, RequestKind, out_of_band
from runner.protocol.rounds import Rounds
from runner.protocol.sent import Sent
from runner.protocol.side_fields import SideFields
from runner.protocol.transcripts import Transcripts
from runner.protocol.translation import Translation
from runner.protocol.typed_text import asks_for_speech, typed_item
from runner.protocol.usage import Usage

ConnectionPhase = Literal["connecting", "configuring", "ready", "closed"]


class SessionState:
    """The state of one session on one connection.

    Args:
        before: The state on the session's connection before this one; conversation, usage, counts and rate limits are
            the session's and go on, as do the numbers of the client events and the configuration that was asked for.
        kind: What kind of session was asked for.
        max_response_retries: How often a response that failed for a temporary reason is asked for again.
        retries_lost: Whether requests that the end of the connection leaves without an answer are to be sent again.
        moves_on: Whether another endpoint can answer what this one fails to.
        clock: The client's clock, which rate limits and pauses are measured by, in seconds.
    """

    def __init__(
        self,
        before: "SessionState | None" = None,
        *,
        kind: SessionType = "realtime",
        max_response_retries: int = 0,
        retries_lost: bool = False,
        moves_on: Callable[[], bool] = bool,
        clock: Callable[[], float] = float,
    ) -> None:
        self.kind: SessionType = kind
        self.append_type = APPENDS[kind]
        """The type of the client event that brings audio."""
        self.max_response_retries = max_response_retries
        self.retries_lost = retries_lost
        self.moves_on = moves_on
        self.clock = clock
        self.phase: ConnectionPhase = "connecting"
        self.greeted = False
        """Whether the endpoint has sent `session.created`."""
        self.awaited_at_s = 0.0
        """When something last came of what is pending, in Unix seconds; the caller of `receive` sets it."""
        self.session_id = ""
        self.expires_at = 0
        self.configuration: Configuration = Configuration(before.configuration if before else None)
        self.side: SideFields = before.side if before else SideFields()
        self.conversation: Conversation = before.conversation if before else Conversation(self.side)
        self.aside = Conversation(self.side)
        """What responses out of band have said so far, until they are over."""
        self.transcripts = Transcripts()
        """What has come so far of the transcripts of the user's audio."""
        self.usage: Usage = before.usage if before else Usage()
        self.counts: Counts = before.counts if before else Counts()
        self.rate_limits: RateLimits = before.rate_limits if before else RateLimits(self.side)
        self.pending = Pending()
        """What the endpoint has still to send."""
        self.rounds: Rounds = before.rounds if before else Rounds()
        """The functions that responses have called and the client runs."""
        self.hosted = HostedServers()
        """What the endpoint does with MCP servers."""
        self.unanswered: list[Request] = []
        """The requests that the end of the connection has left without an answer, for good."""
        self.translation: Translation = Translation(before.translation if before else None)
        """The words of a translation that are being said."""
        self.live: Live = Live(before.live if before else None)
        """What is being said in a Live session."""
        self.closing = Closing()
        """The end of a session whose endpoint has something to finish first."""
        self.sent: Sent = Sent(before.sent if before else None)
        self.reported_once: ReportedOnce = before.reported_once if before else ReportedOnce()
        self._settled = 0

    @property
    def effective(self) -> JsonObject:
        """The configuration of the session: what the endpoint reports, and what was asked for where it is silent."""
        return self.configuration.effective

    @property
    def busy(self) -> bool:
        """Whether a response of the conversation is requested, in flight, or to be requested again, or will be."""
        return self.pending.busy or self.rounds.is_going_on

    @property
    def requested_by(self) -> str:
        """The id of the `response.create` for the conversation that was not answered yet, or nothing."""
        return self.pending.requested_by

    @property
    def is_pending(self) -> bool:
        """Whether anything is still to come: a response, a transcription, a function's output, the end of a turn."""
        return self._is_awaiting or bool(self.pending.to_retry or self.rounds.open)

    @property
    def _is_awaiting(self) -> bool:
        """Whether anything is still to come of this connection."""
        return self.pending.is_awaited or self.live.is_delegating or (self.closing.is_asked and not self.is_over)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of this connection: it has ended, or the endpoint has closed the session."""
        return self.phase == "closed" or self.closing.is_over

    @property
    def awaits_endpoint(self) -> bool:
        """Whether the endpoint has to send something next, and not the user who speaks."""
        return self.pending.awaits_endpoint

    @property
    def is_hearing_speech(self) -> bool:
        """Whether turn detection hears the user speak."""
        return self.pending.turn == "speaking"

    @property
    def in_flight(self) -> frozenset[str]:
        """The ids of the responses in flight in the conversation."""
        return frozenset(self.pending.active)

    @property
    def out_of_band_in_flight(self) -> frozenset[str]:
        """The ids of the responses in flight out of band."""
        return frozenset(self.pending.out_of_band)

    @property
    def occupied(self) -> bool:
        """Whether the endpoint would refuse a second response in the conversation now."""
        return self.pending.occupied

    def brings_awaited(self, event: JsonObject) -> bool:
        """Whether an event that `receive` has just taken in is a part of what is pending, or settled some of it.

        Pieces of answers are, and are not asked: whatever else comes, such as a heartbeat, is no sign of an answer.
        """
        settled, self._settled = self._settled, self.pending.settled
        if self.kind == "translation":
            return "delta" in event
        response_id, item_id = event.get("response_id"), event.get("item_id")
        if settled != self._settled or (isinstance(response_id, str) and self.pending.request_of(response_id)):
            return True
        if not isinstance(item_id, str):
            return False
        item = self.conversation.get(item_id)
        return item_id in self.pending.transcribing or bool(item and self.pending.request_of(item.response_id))

    def awaits(self, request_id: str) -> bool:
        """Whether the `response.create` with this `event_id` is to be answered yet."""
        return self.pending.awaits(request_id) or self.rounds.awaits(request_id)

    @property
    def retries(self) -> tuple[Request, ...]:
        """The requests to be sent again, in this order."""
        return tuple(self.pending.to_retry)

    def inherit_retries(self, before: "SessionState", *, is_elsewhere: bool = False) -> None:
        """Retry on this connection what the one before has left; at another endpoint nothing has failed yet."""
        if before is not self:
            left = [each.afresh() for each in before.retries] if is_elsewhere else before.retries
            self.pending.to_retry[:0] = left

    def drop_retries(self) -> list[str]:
        """Retry nothing; returns the `event_id`s under which the client first sent what it does not retry."""
        dropped = [each.first_id for each in self.pending.to_retry]
        self.pending.to_retry.clear()
        return dropped

    def expect_continuation(self, event_id: str) -> None:
        """The endpoint may continue a turn by itself, as if it had been asked by a request with this `event_id`."""
        self.pending.ask(event_id, "response", RESPONSE, turn_id=self.rounds.turn_of(event_id))

    def forgo_continuation(self, event_id: str) -> None:
        """The endpoint has not continued the turn by itself."""
        self.pending.requests[:] = [each for each in self.pending.requests if each.event_id != event_id]

    def left_unanswered(self, request_id: str) -> bool:
        """Whether the end of the connection has left this `response.create` without an answer, for good."""
        return any(each.first_id == request_id for each in self.unanswered)

    @property
    def quiet(self) -> bool:
        """Whether nothing would be lost if the connection were replaced now."""
        unheard = self.pending.uncommitted and not self.configuration.detects_turns
        return self.configuration.is_settled and not (self._is_awaiting or unheard)

    def identified(self, event: JsonObject) -> JsonObject:
        """The client event as it is to be sent, with an `event_id` and an item's id, its own or new ones.

        Audio is appended under the name that this kind of session has for it.
        """
        if self.append_type != APPEND and event.get("type") == APPEND:
            event = {**event, "type": self.append_type}
        return self.sent.identified(event)

    def send(self, event: JsonObject, at_s: float = 0.0) -> JsonObject:
        """Note what a client event will change.

        Args:
            event: The client event; it is not changed.
            at_s: When, in Unix seconds.

        Returns:
            What to put on the wire: the event with an `event_id`.

        Raises:
            IllegalEvent: the state forbids it: a second response in the conversation, what this kind of session does
                not have, or anything after the end.
        """
        event = self.identified(event)
        self.note_sent(event, at_s)
        return event

    def note_sent(self, event: JsonObject, at_s: float) -> None:
        """Note what a client event that is identified will change; raises as `send` does."""
        self.check(event)
        kind = event["type"]
        aside = kind == "response.create" and out_of_band(event)
        self.sent.note(event)
        if kind == APPEND:
            self.pending.uncommitted = True
        elif kind != self.append_type:
            self._note(kind, event, "out_of_band" if aside else "response", at_s)

    def check(self, event: JsonObject) -> None:
        """Raise `IllegalEvent` where `send` would, and note nothing."""
        kind = event.get("type")
        if not isinstance(kind, str):
            msg = "a client event needs a `type`"
            raise IllegalEvent(msg)
        if self.phase == "closed":
            msg = f"`{kind}` cannot be sent: the session is closed"
            raise IllegalEvent(msg)
        check_kind(kind, self.kind, is_leaving=self.closing.is_asked)
        if kind == "response.create" and self.kind != "live" and self.pending.occupied and not out_of_band(event):
            msg = "`response.create` cannot be sent while a response is in flight"
            raise IllegalEvent(msg, hint="wait for its end, or cancel it first")

    def _note(self, kind: str, event: JsonObject, response: RequestKind, at_s: float) -> None:
        event_id, session = event["event_id"], event.get("session")
        match kind:
            case "response.create" if self.kind != "live":
                asked = {key: event[key] for key in event if key != "event_id"}
                self.pending.ask(event_id, response, asked, at_s=at_s, turn_id=self.rounds.turn_of(event_id))
            case "input_audio_buffer.commit":
                self.pending.ask(event_id, "commit", {})
            case "session.update" | "session.start" if isinstance(session, dict):
                self.configuration.ask(event_id, session)
                self.phase = "configuring" if self.phase == "connecting" else self.phase
            case "conversation.item.create" if isinstance(event.get("item"), dict):
                previous = event.get("previous_item_id")
                self.conversation.expect(event["item"], previous if isinstance(previous, str) else None, event_id)
            case "conversation.item.delete":
                self.conversation.leave(event.get("item_id"), event_id)
            case "session.close" if self.kind in {"translation", "live"}:
                self.closing.is_asked = True
            case "response.create" if self.kind == "live":
                self.live.delegations.continued.append(event_id)
            case _ if self.kind == "live" and asks_for_speech(event):
                asked = {key: event[key] for key in event if key != "event_id"}
                self.pending.ask(event_id, "response", asked, at_s=at_s, turn_id=self.rounds.turn_of(event_id))
                if typed := typed_item(event, self.live.new_id()):
                    self.conversation.expect(typed, None, event_id)
            case _:
                pass
