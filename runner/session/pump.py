"""The receiving side of a connection: takes messages in, hands their meaning to readers, and never waits."""

from collections.abc import Callable, Sequence
from time import time

from pydantic_core import from_json

from runner import logs
from runner.api.session_types import LIVE_START
from runner.audio.playout import INTERRUPTION
from runner.connect.changes import Changes
from runner.connect.frames import BrokenFrames, not_utf8
from runner.connect.websocket import Closed, WebSocket
from runner.errors import AccessRefused, EndpointBusy, ProtocolError, RunnerError, SessionRefused
from runner.protocol.closing import Concluded
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    ErrorReported,
    Opened,
    ResponseEnded,
    ResponseRetried,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    make,
)
from runner.protocol.event_table import brings_words
from runner.protocol.json_fields import JsonObject
from runner.protocol.json_text import repaired
from runner.protocol.live_turns import end_silent_turns
from runner.protocol.receive import receive
from runner.protocol.refusals import refuse_doubted, refuse_unanswered
from runner.protocol.request import FILLER
from runner.protocol.severity import error_for_conclusion, refused_before_greeting, severity
from runner.protocol.state import SessionState
from runner.protocol.unread_events import EventMalformed
from runner.session import effect_log
from runner.session.update import Update

MAX_MALFORMED_MESSAGES = 100
"""After so many messages in a row that are no events, the peer is given up."""

_PIECES = frozenset({TextDelta, AudioDelta, TranscriptDelta})
"""Effects that bring a piece of a text or of audio and change nothing else."""

Dialect = Callable[[JsonObject], JsonObject]
Reader = Callable[[Update], None]


class Pump:
    """The only listener of a connection.

    Args:
        connection: The open connection.
        state: What is known of the session on this connection.
        changes: Notified of everything but pieces of answers.
        readers: Called with each update, in order; they must not wait.
        ended: Called once nothing more will come, after the last update.
        dialect: Translates a server event to the current protocol, None where it speaks that.

    Attributes:
        failure: What ended the connection before we did.
        refusal: Why the endpoint refused the session's configuration, if it did.
        first_unanswered: Why the first request that got no answer got none, or not all of it.
    """

    def __init__(
        self,
        connection: WebSocket,
        state: SessionState,
        changes: Changes,
        *,
        readers: Sequence[Reader],
        ended: Callable[[], None],
        dialect: Dialect | None,
    ) -> None:
        self.failure: RunnerError | None = None
        self.refusal: RunnerError | None = None
        self.first_unanswered: RunnerError | None = None
        self._state = state
        self.is_over = False
        """Whether nothing more will come."""
        self._connection = connection
        self._readers = readers
        self._ended = ended
        self._dialect = dialect
        self._changes = changes
        self._malformed = 0
        self._last_error: RunnerError | None = None

    async def listen(self) -> None:
        """Receive from now on until the connection ends; what the endpoint did wrong is `failure` afterwards."""
        await self._connection.listen(self.take, self._take_end)

    def take(self, message: bytes) -> None:
        """Take in one message of the connection and pass on what it means: the hot path of the whole program."""
        if self.is_over:
            return
        try:
            event = from_json(message)
        except ValueError:
            event = _repaired(message)
        if type(event) is not dict:
            self._take_malformed()
            return
        if self._dialect is not None:
            event = self._dialect(event)
        self._malformed = 0
        self._last_error = None
        now_s = time()
        effects = receive(self._state, event)
        update = make(Update, (event, effects, now_s, len(message)))
        if effects and type(effects[0]) in _PIECES:
            # Most events are pieces of an answer, which are neither logged nor waited for.
            self._state.awaited_at_s = now_s
            for reader in self._readers:
                reader(update)
            return
        if self._state.brings_awaited(event):
            self._state.awaited_at_s = now_s
        self._publish(update)
        is_retried = any(isinstance(each, ResponseRetried) for each in effects)
        for effect in effects:
            self._judge(effect, is_retried=is_retried)
        self._changes.notify()

    def refuse_doubted(self) -> None:
        """Take it that an error without a name refused the request that still waits, since nothing has come to it."""
        if effects := refuse_doubted(self._state):
            self._bring_about(effects)

    def refuse_unanswered(self, error: RunnerError) -> None:
        """Take it that the oldest request of a Live session will not be answered, for this reason, but elsewhere."""
        if effects := refuse_unanswered(self._state, error):
            self._bring_about(effects)
        else:
            self._changes.notify()

    def end_silent_turns(self) -> None:
        """End the turns of a Live session after which nothing has come for as long as a pause."""
        self._bring_about(end_silent_turns(self._state))

    def _bring_about(self, effects: Sequence[Effect]) -> None:
        """Have the readers take in what no event has brought."""
        self._publish(Update(None, effects, time(), 0))
        for effect in effects:
            self._judge(effect, is_retried=False)
        self._changes.notify()

    def read_by(self, readers: Sequence[Reader]) -> None:
        """Hand updates to other readers from now on."""
        self._readers = readers

    def fail(self, error: RunnerError) -> None:
        """Give the connection up because of this; what came first counts."""
        if not self.is_over:
            if not self._state.greeted:
                error = refused_before_greeting(error) or error
            self.failure = _explained(error, self._last_error)
        self._end()

    def _take_end(self, end: Exception) -> None:
        if isinstance(end, RunnerError):
            self.fail(end)
            return
        self._end()
        if not isinstance(end, Closed):
            raise end

    def _take_malformed(self) -> None:
        self._malformed += 1
        effect_log.record(self._state.reported_once.malformed("", "a message is not a JSON object"))
        if self._malformed >= MAX_MALFORMED_MESSAGES:
            self.fail(ProtocolError(f"{MAX_MALFORMED_MESSAGES} messages in a row were no JSON objects"))

    def _judge(self, effect: Effect, *, is_retried: bool) -> None:
        match effect:
            case ErrorReported(severity="fatal", error=error):
                self.fail(error)
            case ErrorReported(error=error) if not self._state.greeted and refused_before_greeting(error):
                self.fail(error)
            case ResponseEnded(status="failed", error=RunnerError() as error) if severity(error.code) == "fatal":
                self.fail(error)
            case ErrorReported(client_event_id=event_id) if event_id.startswith((INTERRUPTION, FILLER)):
                # History says what was heard, whether the endpoint can follow or not; and nobody misses a filler.
                pass
            case ErrorReported(client_event_id=event_id) if event_id in self._state.sent.awaited:
                pass
            case ErrorReported(error=error, client_event_type=cause, severity=weight):
                if not cause:
                    self._last_error = error
                if self._state.phase == "configuring" and cause in {"session.update", LIVE_START, ""}:
                    self.refusal = _refusal(error)
                elif cause and weight != "harmless" and not is_retried:
                    self.first_unanswered = self.first_unanswered or error
            case _:
                self._judge_by_kind(effect)

    def _judge_by_kind(self, effect: Effect) -> None:
        match effect:
            case Opened(session_id=session_id):
                logs.introduce(session_id)
            case ResponseEnded(is_step=True):
                pass
            case ResponseEnded(status="refused", request_id=event_id) if event_id in self._state.sent.awaited:
                pass
            case ResponseEnded(loss=RunnerError() as error) | ResponseEnded(status="failed" | "refused", error=error):
                self.first_unanswered = self.first_unanswered or error
            case TranscriptionEnded(error=RunnerError() as error) if self._state.kind == "transcription":
                self.first_unanswered = self.first_unanswered or error
            case EventMalformed(type=kind, problem=problem) if brings_words(kind):
                msg = f"an event of type {kind} cannot be read, and what it says is lost: {problem}"
                self.first_unanswered = self.first_unanswered or ProtocolError(msg)
            case Concluded(was_asked=True):
                self._end()
            case Concluded(reason=reason):
                self.fail(error_for_conclusion(reason))
            case _:
                pass

    def _publish(self, update: Update) -> None:
        effect_log.record(update.effects)
        for reader in self._readers:
            reader(update)

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._bring_about(end_connection(self._state))
            self._ended()
            # Nothing more is read, and who read it knows this connection.
            self._readers, self._ended = (), _nothing
        self._changes.notify()


def _nothing() -> None:
    """Hear of an end twice."""


def _refusal(error: RunnerError) -> RunnerError:
    """The failure of a configuration that the endpoint answered with an error: the profile's, unless it is known."""
    kind = type(error) if isinstance(error, EndpointBusy | AccessRefused) else SessionRefused
    msg = f"the endpoint refused the session's configuration: {error.message}"
    return kind(msg, hint=error.hint, code=error.code)


def _explained(end: RunnerError, cause: RunnerError | None) -> RunnerError:
    """The end of a connection together with the error that came right before it and that no request had caused."""
    if cause is None or isinstance(end, BrokenFrames):
        return end
    how, _, reason = end.message.partition(": ")
    msg = f"{how} after the error: {cause.message}" + (f" ({reason})" if reason else "")
    kind = type(end) if type(cause) is ProtocolError else type(cause)
    return kind(msg, hint=cause.hint or end.hint, code=cause.code or end.code, status=end.status)


def _repaired(message: bytes) -> object:
    """What a message says that the first parser refuses; nothing where it is no JSON."""
    try:
        return repaired(message)
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None
    except ValueError:
        return None
