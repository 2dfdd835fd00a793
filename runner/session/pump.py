"""The receiving side of a session: messages in, state and readers told, never waiting for anyone."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import time

import anyio
from pydantic_core import from_json

from runner.connect.frames import BrokenFrames, not_utf8
from runner.connect.websocket import Closed, WebSocket
from runner.errors import AccessRefused, EndpointBusy, IllegalEvent, ProtocolError, RunnerError, SessionRefused
from runner.protocol.effects import AudioDelta, Effect, ErrorReported, Opened, ResponseEnded, TextDelta, make
from runner.protocol.fields import JsonObject
from runner.protocol.state import SessionState
from runner.session import logbook
from runner.session.update import Update

MAX_MALFORMED_MESSAGES = 100
"""After so many messages in a row that are no events, the peer is given up."""

_PIECES = frozenset({TextDelta, AudioDelta})
"""Effects that change nothing but the text or the audio of an answer."""

Dialect = Callable[[JsonObject], JsonObject]
Reader = Callable[[Update], None]


class Pump:
    """The only listener of a connection.

    Args:
        connection: The open connection.
        readers: Called with each update, in order; they must not wait.
        dialect: Translates a server event to the current protocol, None where it speaks that.

    Attributes:
        state: What is known of the session.
        failure: What ended the session before we did.
        refusal: Why the endpoint refused the session's configuration, if it did.
        first_unanswered: Why the first request that got no answer got none.
    """

    def __init__(self, connection: WebSocket, *, readers: Sequence[Reader], dialect: Dialect | None) -> None:
        self.state = SessionState()
        self.failure: RunnerError | None = None
        self.refusal: RunnerError | None = None
        self.first_unanswered: RunnerError | None = None
        self._receive = self.state.receive
        self._is_over = False
        self._connection = connection
        self._readers = readers
        self._dialect = dialect
        self._changed = anyio.Event()
        self._malformed = 0
        self._last_words: RunnerError | None = None

    async def run(self) -> None:
        """Receive until the connection ends; what the endpoint did wrong is `failure` afterwards."""
        try:
            await self._connection.listen(self.take)
            await self._connection.ended()
        except Closed:
            pass
        except RunnerError as error:
            self.fail(error)
        finally:
            self._end()

    def take(self, message: bytes) -> None:
        """Take in one message of the connection and pass on what it means: the hot path of the whole program."""
        if self._is_over:
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
        self._last_words = None
        effects = self._receive(event)
        update = make(Update, (event, effects, time(), len(message)))
        if effects and type(effects[0]) in _PIECES:
            # Most events are pieces of an answer, which are neither logged nor waited for.
            for reader in self._readers:
                reader(update)
            return
        self._publish(update)
        for effect in effects:
            self._judge(effect)
        self._changed.set()

    def fail(self, error: RunnerError) -> None:
        """End the session because of this; what came first counts."""
        if not self._is_over:
            self.failure = _explained(error, self._last_words)
        self._end()

    def check(self) -> None:
        """Raise what ended the session, or `IllegalEvent` where we did; do nothing while it lives."""
        if self.failure:
            raise self.failure
        if self.state.phase == "closed":
            msg = "the session is closed"
            raise IllegalEvent(msg)

    async def change(self) -> None:
        """Wait until something has come, or the session has ended."""
        if self._changed.is_set():
            self._changed = anyio.Event()
        await self._changed.wait()

    def _take_malformed(self) -> None:
        self._malformed += 1
        logbook.record(self.state.malformed("", "a message is not a JSON object"))
        if self._malformed >= MAX_MALFORMED_MESSAGES:
            self.fail(ProtocolError(f"{MAX_MALFORMED_MESSAGES} messages in a row were no JSON objects"))

    def _judge(self, effect: Effect) -> None:
        match effect:
            case Opened(session_id=session_id):
                logbook.bind(session_id=session_id)
            case ErrorReported(severity="fatal", error=error):
                self.fail(error)
            case ErrorReported(error=error, client_event_type=cause, severity=severity):
                if not cause:
                    self._last_words = error
                if self.state.phase == "configuring" and cause in {"session.update", ""}:
                    self.refusal = _refusal(error)
                elif cause and severity != "harmless":
                    self.first_unanswered = self.first_unanswered or error
            case ResponseEnded(status="failed" | "refused", error=error):
                self.first_unanswered = self.first_unanswered or error
            case _:
                pass

    def _publish(self, update: Update) -> None:
        logbook.record(update.effects)
        for reader in self._readers:
            reader(update)

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            effects = self.state.close()
            self._publish(Update(None, effects, time(), 0))
        self._changed.set()


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
    return kind(msg, hint=cause.hint or end.hint, code=cause.code or end.code)


def _repaired(message: bytes) -> object:
    """What the first parser refuses: half a surrogate pair is legal JSON, and some servers cut text between them."""
    try:
        text = message.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None
