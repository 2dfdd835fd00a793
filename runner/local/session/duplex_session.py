"""A Live session of the local endpoint: it listens while it speaks, and its time is that of the audio that it hears."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from runner.api.client_events import ClientEventBase
from runner.api.live_events import (
    LIVE_CLIENT_EVENT_TYPES,
    BackendItemCreate,
    ContextAppend,
    FixturePlay,
    ForkStart,
    LiveAudioAppend,
    LiveStart,
    LiveUpdate,
)
from runner.local.session.api_error import ApiError
from runner.local.session.fixture import PIECE_MS, Fixture
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import Detection, TurnAudio
from runner.local.session.live_config import LiveConfig
from runner.local.session.live_life import LiveLife
from runner.local.session.local_session import LocalSession
from runner.local.session.parsing import decode_audio
from runner.local.session.server_event import ServerEvent, answer_to, live_error, server_event
from runner.local.session.stored_sessions import StoredSession
from runner.local.session.turn_detection import TurnSettings, TurnStarted
from runner.local.speech.engines import Engines
from runner.settings.faults import ResponseFailedFault

USAGE_INTERVAL_S: Final = 15.0
_SLICE_MS: Final = 100
"""Longer audio is heard in slices, so that the model stops in the middle of it where somebody speaks over it."""
_CONTEXT_TOKENS: Final = 32_768
"""What the model is taken to remember; the local endpoint forgets nothing for it."""
_TURNS: Final = TurnSettings()


class DuplexSession(LocalSession):
    """A Live session; while no audio comes, nothing is said.

    Args:
        engines: What the session detects, transcribes, answers and speaks with.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
        clock: The time in seconds, by which the session's usage is counted.
        forked: The stored session that it goes on with, or None.
    """

    def __init__(
        self, engines: Engines, *, expires_at: int, clock: Callable[[], float], forked: StoredSession | None = None
    ) -> None:
        super().__init__(engines)
        self.id = new_id("live")
        self._event_types = {**LIVE_CLIENT_EVENT_TYPES, "session.start": LiveStart if forked is None else ForkStart}
        self._engines = engines
        self._expires_at = expires_at
        self._clock = clock
        self._forked = forked
        self._life: LiveLife | None = None
        self._started_s = 0.0
        self._is_muted = False
        self._fixture: Fixture | None = None
        self._played_ms = 0.0
        """How long recordings were played; meanwhile nothing is heard."""
        self._closing: ClientEventBase | None = None
        self._handlers: dict[str, Callable[[LiveLife, Any], list[ServerEvent]]] = {
            "session.update": self._update,
            "session.input_audio.append": self._hear,
            "session.input_audio.mute": partial(self._mute, is_muted=True),
            "session.input_audio.unmute": partial(self._mute, is_muted=False),
            "session.output_audio.fixture.play": self._play,
            "session.instructions.append": self._append_context,
            "session.thinking.append": self._append_context,
            "session.commentary.append": self._append_context,
            "decision.create": lambda life, create: [life.decisions.ask(create)],
            "decision.item.create": lambda life, create: [life.decisions.add(create)],
            "decision.item.delete": lambda life, delete: [life.decisions.delete(delete)],
            "response.item.create": self._add_item,
            "response.create": lambda life, _create: life.mind.respond(),
            "session.close": self._close,
        }

    @property
    def can_advance(self) -> bool:
        """Whether a recording is being played, which needs no audio to go on."""
        return self._fixture is not None

    @property
    def is_behind(self) -> bool:
        """Whether too much audio waits for the detector, or too many turns for the transcriber.

        Where the transcriber is quick, one turn is too many, so that its answer begins at the same time of the session
        however fast the client sends its audio.
        """
        if self._life is None:
            return False
        hearing, is_slow = self._life.hearing, self._engines.speech.is_slow
        return super().is_behind or (hearing.is_behind if is_slow else not hearing.is_done)

    @property
    def interval_ms(self) -> float | None:
        """A recording is played in real time."""
        return PIECE_MS

    @property
    def tick_s(self) -> float | None:
        """How often the usage is told, in seconds."""
        return USAGE_INTERVAL_S

    @property
    def stored(self) -> StoredSession | None:
        """What is stored of the session; None where it is not to be stored."""
        if self._life is None or not self._life.config.is_stored:
            return None
        return StoredSession(self._life.config, self._life.conversation.texts())

    def open(self) -> list[ServerEvent]:
        """The connection stands; the client has the first word."""
        return []

    def advance(self) -> list[ServerEvent]:
        """The recording that is being played goes on by a piece; returns its events."""
        if self._life is None or self._fixture is None:
            return []
        size_bytes, events = self._fixture.advance()
        self._played_ms += self._life.config.audio_format.ms(size_bytes)
        if self._fixture.is_over:
            self._fixture = None
        return events

    def tick(self) -> list[ServerEvent]:
        """Tell what the session has used so far."""
        if self._life is None or self.is_over:
            return []
        window = {"usage_ratio": min(1.0, self._life.conversation.tokens / _CONTEXT_TOKENS)}
        return [server_event("session.usage.updated", usage=self._usage(), context_window=window)]

    def expire(self, reason: str) -> list[ServerEvent]:
        """The session's time is over; returns its last event."""
        if self._life is None:
            return [self.error_event("invalid_request_error", "session_expired", reason)]
        return self.end("expired")

    def end(self, reason: str) -> list[ServerEvent]:
        """The session ends for this reason; returns its last event."""
        return [] if self._life is None else self._closed(self._life, reason)

    def error_event(self, kind: str, code: str | None, message: str) -> ServerEvent:
        """An `error` event that no client event has caused."""
        return live_error(kind=kind, code=code or kind, message=message)

    def _refusal(self, error: ApiError, event_id: str | None) -> ServerEvent:
        return live_error(
            kind="invalid_request_error", code=error.code, message=error.message, param=error.param, event_id=event_id
        )

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if isinstance(client_event, LiveStart | ForkStart):
            return self._start(client_event)
        if self._life is None:
            message = f"'{name}' needs a session that has started: send 'session.start' and wait for 'session.started'."
            raise ApiError(message, code="session_not_started", param="type")
        if self._closing is None:
            return self._handlers[name](self._life, client_event)
        if isinstance(client_event, LiveAudioAppend):
            # A stream goes on until its client has seen that the session is closed.
            return []
        raise ApiError("The session is closing.", code="session_closing", param="type")

    def _start(self, start: LiveStart | ForkStart) -> list[ServerEvent]:
        if self._life is not None:
            raise ApiError("The session has started already.", code="session_already_started", param="type")
        wanted = start.to_wire()["session"]
        if self._forked is not None:
            wanted = self._forked.config.forked(wanted)
        config = LiveConfig(wanted, session_id=self.id, expires_at=self._expires_at, instructions=self._engines.notice)
        self._life = LiveLife(
            self._engines,
            config,
            self._forked.texts if self._forked else config.history,
            assign=self._jobs.append,
            now_ms=lambda: self._now_ms,
            heard=self._heard,
            failure=self._next_failure,
        )
        self._started_s = self._clock()
        self._input_buffer.configure(config.audio_format, _TURNS)
        return [answer_to(start, "session.started", session=config.view())]

    def _next_failure(self) -> ResponseFailedFault | None:
        """The fault of the next delegated response, if it has one."""
        return None

    @property
    def _now_ms(self) -> float:
        """The time of the session, in milliseconds."""
        return self._input_buffer.received_ms + self._played_ms

    def _update(self, life: LiveLife, update: LiveUpdate) -> list[ServerEvent]:
        life.config.update(update.to_wire()["session"])
        return [answer_to(update, "session.updated", session=life.config.view())]

    def _hear(self, life: LiveLife, append: LiveAudioAppend) -> list[ServerEvent]:
        audio = decode_audio(append.audio, "audio")
        if self._fixture is not None:
            return []
        events: list[ServerEvent] = []
        size = life.config.audio_format.size_bytes(_SLICE_MS)
        for start in range(0, len(audio), size):
            heard, at_ms = audio[start : start + size], self._now_ms
            if self._is_muted:
                heard = life.config.audio_format.silence(len(heard))
            events += self._follow(self._input_buffer.append(heard))
            events += life.speech.advance(len(heard), at_ms, may_begin=not self._input_buffer.item_id)
        return events

    def _mute(self, _life: LiveLife, mute: ClientEventBase, *, is_muted: bool) -> list[ServerEvent]:
        self._is_muted = is_muted
        return [answer_to(mute, f"session.input_audio.{'muted' if is_muted else 'unmuted'}")]

    def _play(self, life: LiveLife, play: FixturePlay) -> list[ServerEvent]:
        self._check_no_fixture()
        self._fixture = Fixture(play, life.config.audio_format)
        life.speech.interrupt()
        self._end_turn(life)
        return self._fixture.begin()

    def _check_no_fixture(self) -> None:
        if self._fixture is not None:
            raise ApiError("A recording is being played.", code="fixture_active", param="type")

    def _append_context(self, life: LiveLife, append: ContextAppend) -> list[ServerEvent]:
        self._check_no_fixture()
        return life.tell(append)

    def _add_item(self, life: LiveLife, create: BackendItemCreate) -> list[ServerEvent]:
        life.mind.add_item(create)
        return []

    def _react(self, detection: Detection) -> list[ServerEvent]:
        if self._life is None:
            return []
        if isinstance(detection, TurnStarted):
            self._life.speech.interrupt()
            return []
        end_ms = detection.found.end_ms - _TURNS.silence_ms
        self._take_turn(self._life, detection.audio, end_ms + self._played_ms)
        return []

    def _follow(self, detections: Iterator[Detection]) -> list[ServerEvent]:
        return super()._follow(detections) + self._close_if_done()

    def _heard(self, words: str, audio_s: float) -> list[ServerEvent]:
        if self._life is None or self.is_over:
            return []
        return self._close_if_done() if self._closing else self._life.mind.hear(words, audio_s)

    def _end_turn(self, life: LiveLife) -> None:
        """What the user is saying is heard no further."""
        if last := self._input_buffer.end_turn():
            self._take_turn(life, last, self._now_ms)

    def _take_turn(self, life: LiveLife, audio: TurnAudio, end_ms: float) -> None:
        """Have what the user has said up to here written down, where it was said."""
        life.hearing.take(audio, self._input_buffer.spoken_ms + self._played_ms, end_ms)

    def _close(self, life: LiveLife, close: ClientEventBase) -> list[ServerEvent]:
        self._closing = close
        self._fixture = None
        life.speech.stop()
        return self._close_if_done()

    def _close_if_done(self) -> list[ServerEvent]:
        """Close the session once the client has asked for it and all that was said to it is written down."""
        life = self._life
        if life is None or self._closing is None or self.is_over or self._input_buffer.is_detecting:
            return []
        self._end_turn(life)
        return self._closed(life, "close_requested", self._closing) if life.hearing.is_done else []

    def _closed(self, life: LiveLife, reason: str, close: ClientEventBase | None = None) -> list[ServerEvent]:
        self.is_over = True
        life.speech.stop()
        fields = {"reason": reason, "session": life.config.view(), "usage": self._usage()}
        return [answer_to(close, "session.closed", **fields) if close else server_event("session.closed", **fields)]

    def _usage(self) -> dict[str, Any]:
        """What the session has used, in whole seconds; it costs one at least."""
        return {"seconds": max(1, round(self._clock() - self._started_s))}
