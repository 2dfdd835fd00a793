"""What the sessions of the local endpoint have in common: client messages in, server events out, without I/O."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from runner import logs
from runner.api.client_events import ClientEventBase, InputAudioBufferAppend, SessionInputAudioBufferAppend
from runner.local.session.api_error import ApiError
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import Detection, InputBuffer
from runner.local.session.jobs import Job, ModelJob, Settle
from runner.local.session.parsing import decode_audio, event_id_of, read_document, read_event
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.stored_sessions import StoredSession
from runner.local.speech.engines import Engines


class LocalSession(ABC):
    """A session that answers client events; its caller does the slow work and watches the clock.

    Args:
        engines: What it detects, transcribes, answers and speaks with.

    Attributes:
        is_over: Whether the session has ended and the connection is to be closed.
    """

    _event_types: Mapping[str, type[ClientEventBase]]

    def __init__(self, engines: Engines) -> None:
        self.id = new_id("sess")
        self.is_over = False
        self._jobs: list[Job | ModelJob] = []
        self._input_buffer = InputBuffer(engines.speech.new_detector, is_slow=engines.speech.is_slow)

    @property
    def tick_s(self) -> float | None:
        """How often `tick` is called, in seconds; None for never."""
        return None

    @property
    def interval_ms(self) -> float | None:
        """The time between two calls of `advance`, in milliseconds; None for that of the settings."""
        return None

    @property
    def stored(self) -> StoredSession | None:
        """What is stored of the session once it is over; None for nothing."""
        return None

    @property
    @abstractmethod
    def can_advance(self) -> bool:
        """Whether `advance` has events to return."""

    @property
    def is_behind(self) -> bool:
        """Whether the session takes no more messages until some jobs are done."""
        return self._input_buffer.is_behind

    @abstractmethod
    def open(self) -> list[ServerEvent]:
        """The session has begun; returns its first event."""

    @abstractmethod
    def advance(self) -> list[ServerEvent]:
        """Each response that needs no job goes on by one piece; returns its events."""

    def receive(self, message: str | bytes) -> list[ServerEvent]:
        """The client has sent a message; returns the answers, which are an `error` event where it is not valid."""
        event_id: str | None = None
        try:
            document = read_document(message)
            event_id = event_id_of(document)
            client_event = read_event(document, self._event_types)
            return self._carry_out(str(document["type"]), client_event)
        except ApiError as error:
            logs.logger().info("client_event_refused", code=error.code, param=error.param)
            return [self._refusal(error, event_id)]

    def expire(self, reason: str) -> list[ServerEvent]:
        """The session's time is over; returns its last event."""
        return [ApiError(reason, code="session_expired").event()]

    def take_jobs(self) -> list[Job | ModelJob]:
        """The slow work that has come up since the last call, which the caller does or has done."""
        jobs = self._jobs[:]
        self._jobs.clear()
        return jobs

    def end(self, reason: str) -> list[ServerEvent]:
        """The session ends for one of Live's reasons; returns its last events, where its kind has any."""
        self.is_over = True
        return []

    def error_event(self, kind: str, code: str | None, message: str) -> ServerEvent:
        """An `error` event that no client event has caused."""
        error = {"type": kind, "code": code, "message": message, "param": None, "event_id": None}
        return server_event("error", error=error)

    def tick(self) -> list[ServerEvent]:
        """Another `tick_s` seconds have gone by; returns the events that are due."""
        return []

    def _refusal(self, error: ApiError, event_id: str | None) -> ServerEvent:
        """The `error` event that answers the client event with this id."""
        return error.event(event_id)

    @abstractmethod
    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        """Carry out a valid client event of this type.

        Raises:
            ApiError: The event does not fit the session's state.
        """

    @abstractmethod
    def _react(self, detection: Detection) -> list[ServerEvent]:
        """Turn detection has found something; returns the events that announce it."""

    def _append(self, append: InputAudioBufferAppend | SessionInputAudioBufferAppend) -> list[ServerEvent]:
        return self._follow(self._input_buffer.append(decode_audio(append.audio, "audio")))

    def _follow(self, detections: Iterator[Detection]) -> list[ServerEvent]:
        events = [each for detection in detections for each in self._react(detection)]
        if detect := self._input_buffer.take_work():

            def work() -> Settle:
                found = detect()
                return lambda: self._follow(found())

            self._jobs.append(Job("detector", work))
        return events
