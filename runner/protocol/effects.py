"""What a server event means: the state machine makes effects, the session and its readers use them.

Effects are named tuples where they have fields: as dataclasses each of them would cost a start five times as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from runner.api.session_types import SessionType
from runner.errors import RunnerError
from runner.protocol.audio_append import decoded
from runner.protocol.closing import Concluded
from runner.protocol.delegations import TaskDelegated
from runner.protocol.json_fields import JsonObject
from runner.protocol.rate_limits import RateLimitCrossed
from runner.protocol.server_effects import ServerEffect
from runner.protocol.severity import Severity
from runner.protocol.unread_events import UnreadEvent
from runner.protocol.user_effects import UserEffect

make = tuple.__new__
"""Makes a named tuple of the hot path in half the time of its constructor, which goes through its fields' names."""

ResponseStatus = Literal["completed", "cancelled", "failed", "incomplete", "refused"]


@final
class Opened(NamedTuple):
    """The endpoint has opened the session; or one of the other kind, realtime or Live, carries it from now on."""

    session_id: str
    expires_at: int
    """When the endpoint will end the session, in Unix seconds; 0 where it does not say."""
    kind: SessionType = "realtime"
    """What kind of session was asked for."""


@final
class Configured(NamedTuple):
    """The endpoint confirmed a `session.update` and says what holds now."""

    session: JsonObject


@final
class ResponseStarted(NamedTuple):
    """A response is being made."""

    response_id: str
    request_id: str = ""
    """The `event_id` under which the client first sent the `response.create`; nothing where it sent none."""
    requested_at_s: float = 0.0
    """When the client first sent it, in Unix seconds; 0 where it sent none."""


@final
class TextDelta(NamedTuple):
    """A piece of an answer: of its text, or of the transcript of its audio."""

    response_id: str
    """The response; nothing in a translation, where a `TurnEnded` ends the item."""
    item_id: str
    text: str


@final
class AudioDelta(NamedTuple):
    """A piece of an answer's audio, which only `decode` decodes."""

    response_id: str
    item_id: str
    audio: str
    """The bytes in base64, as they came."""

    def decode(self) -> bytes:
        """The audio, in the session's output format; raises `ValueError` where it is not base64."""
        return decoded(self.audio)


@final
class ResponseEnded(NamedTuple):
    """A response is over; `refused` says that the endpoint answered the request with an error and made none."""

    response_id: str
    status: ResponseStatus
    reason: str = ""
    error: RunnerError | None = None
    request_id: str = ""
    """The `event_id` under which the client first sent the `response.create`; nothing where it sent none."""
    loss: RunnerError | None = None
    """Why a response that did not fail has not brought what was asked for: it is empty, or nobody cancelled it."""
    is_step: bool = False
    """Whether it only leads to what was asked for: its turn goes on, or it was a word that is said meanwhile."""


@final
class FunctionCalled(NamedTuple):
    """A response that is over has called a function; each call is reported once."""

    response_id: str
    call_id: str
    name: str
    arguments: str
    """The arguments, as the model has written them: JSON as a rule."""
    item_id: str


@final
class ApprovalAsked(NamedTuple):
    """A response that is over asks whether the endpoint may call an MCP server."""

    response_id: str
    request_id: str
    """The id of the item that asks, which the answer names."""
    server: str
    """The server's label, whose tool is `name`."""
    name: str
    arguments: str


@final
class FunctionAnswered(NamedTuple):
    """The output of a function stands in the conversation."""

    call_id: str
    name: str
    """Nothing where the call is not known."""
    arguments: str
    output: str
    outcome: str
    """How the call has ended, such as `ok` or `denied`; nothing where rt-run has not run it."""
    duration_s: float
    """How long it took, in seconds; 0 where rt-run has not run it."""
    item_id: str
    ended_at_s: float = 0.0
    """When it had ended, in Unix seconds; 0 where rt-run has not run it."""


@final
class ResponseRetried(NamedTuple):
    """A response has failed for a reason that may pass, and the client will retry it."""

    response_id: str
    error: RunnerError
    request_id: str = ""
    """The `event_id` under which the client first sent the `response.create`; nothing where it sent none."""


@final
@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over, and not only one of its connections; nothing follows."""


@final
class TurnEnded(NamedTuple):
    """The user or the assistant has finished a turn."""

    role: str
    text: str
    item_id: str
    status: Literal["completed", "incomplete"]
    logprobs: Sequence[JsonObject] = ()
    """How sure the transcription is of each token, where it was asked to say."""
    languages: Sequence[str] = ()
    """The codes of the languages that the user has spoken, where the endpoint says so."""
    phase: str = ""
    """Of an answer that has them: `commentary` for a preamble, `final_answer` for what was asked for."""


@final
class TranscriptDelta(NamedTuple):
    """A piece of what the user said, as it is written down."""

    item_id: str
    text: str


@final
class TranscriptionStarted(NamedTuple):
    """The endpoint will transcribe the audio of this item; such effects come in the order of speech."""

    item_id: str


@final
class TranscriptionEnded(NamedTuple):
    """The endpoint has transcribed the audio of an item, or never will."""

    item_id: str
    error: RunnerError | None = None
    """Why it was not transcribed."""


@final
class SpeechStarted(NamedTuple):
    """The endpoint hears that the user begins to speak."""

    item_id: str
    """The item that this turn will be."""
    audio_ms: int
    """Where in all audio that was sent, in milliseconds."""
    interrupts: bool
    """Whether it is to stop the answer that is being heard."""


@final
class SpeechStopped(NamedTuple):
    """The endpoint hears that the user has finished speaking."""

    item_id: str
    audio_ms: int
    """Where in all audio that was sent, in milliseconds."""


@final
class Truncated(NamedTuple):
    """The endpoint has cut an answer to what was heard of it."""

    item_id: str
    heard_ms: int
    text: str
    """The words that were heard, estimated from the length of the audio."""


@final
class Played(NamedTuple):
    """An answer's audio was heard, to its end or until the user interrupted it."""

    item_id: str
    heard_ms: int
    is_whole: bool


@final
class ErrorReported(NamedTuple):
    """An `error` event, with the client event that caused it where it is known."""

    severity: Severity
    error: RunnerError
    client_event_type: str = ""
    client_event_id: str = ""
    is_new: bool = True
    """Whether a harmless error with this code comes for the first time."""


@final
class TextCorrected(NamedTuple):
    """The whole text of a turn is not what its pieces were; a `TurnEnded` with the whole text follows."""

    item_id: str
    reason: Literal["pieces missing", "pieces repeat what came before", "other words"]
    """In the first case what is missing follows as one more piece."""


Effect = (
    Opened
    | Configured
    | ResponseStarted
    | TextDelta
    | AudioDelta
    | ResponseEnded
    | ResponseRetried
    | FunctionCalled
    | ApprovalAsked
    | FunctionAnswered
    | ServerEffect
    | SessionEnded
    | RateLimitCrossed
    | TurnEnded
    | TranscriptDelta
    | TranscriptionStarted
    | TranscriptionEnded
    | Concluded
    | SpeechStarted
    | SpeechStopped
    | Truncated
    | Played
    | ErrorReported
    | UnreadEvent
    | TaskDelegated
    | TextCorrected
    | UserEffect
)
