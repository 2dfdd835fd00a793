"""What the model of a Live session says, as the time of the session goes on."""

from collections import deque
from collections.abc import Callable
from typing import Final

import pybase64

from runner import logs
from runner.audio.format import AudioFormat
from runner.local.session.jobs import Job, Settle
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.utterance import Piece, Utterance

_AHEAD_MS: Final = 2_000
"""A slow voice speaks so much in advance."""


class LiveSpeech:
    """Says one utterance after the other.

    Args:
        audio_format: The format of the session.
        is_slow: Whether worker threads call the voice.
        assign: Called with each job that comes up.
        note: Called with the words as they are said.
        show: Called with each fragment of the transcript; returns it with the events that follow from it.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        *,
        is_slow: bool,
        assign: Callable[[Job], None],
        note: Callable[[str], None],
        show: Callable[[ServerEvent], list[ServerEvent]],
    ) -> None:
        self._format = audio_format
        self._is_slow = is_slow
        self._assign = assign
        self._note = note
        self._show = show
        self._waiting: deque[Utterance] = deque()
        self._current: Utterance | None = None
        self._rest = b""
        """The audio of the piece that is being said, in the format of the session."""
        self._owed_bytes = 0
        """The half sample that was heard last, for which none was said."""
        self._is_next = False
        """Whether the next fragment of the transcript is the first of an utterance."""
        self._last = " "
        """The last letter of the transcript."""

    def __len__(self) -> int:
        """How many utterances wait or are being said."""
        return len(self._waiting) + (self._current is not None)

    def say(self, utterance: Utterance) -> None:
        """Say something, after all that waits."""
        self._waiting.append(utterance)

    def interrupt(self) -> None:
        """Somebody speaks over it: stop what is being said; what waits is said later."""
        self._rest = b""
        if self._current is not None:
            self._current.is_over = True
            self._end()

    def drop_acknowledgements(self) -> None:
        """Something else is to be said instead of what only says that it is being done."""
        for utterance in [each for each in self._waiting if each.is_acknowledgement]:
            utterance.is_over = True
            self._waiting.remove(utterance)

    def stop(self) -> None:
        """Say nothing any more."""
        self.interrupt()
        while self._waiting:
            self._waiting.popleft().is_over = True

    def advance(self, size_bytes: int, at_ms: float, *, may_begin: bool) -> list[ServerEvent]:
        """The session goes on by so much audio; returns the events of what is said, or of silence.

        Args:
            size_bytes: The length of the audio, in bytes of the session's format.
            at_ms: The time of the session at its beginning.
            may_begin: Whether something may be begun, since the user does not speak.
        """
        events: list[ServerEvent] = []
        audio = bytearray()
        size_bytes += self._owed_bytes
        self._owed_bytes = size_bytes % self._format.sample_bytes
        size_bytes -= self._owed_bytes
        while len(audio) < size_bytes:
            if not self._rest:
                piece = self._next_piece(at_ms, may_begin=may_begin)
                if piece is None:
                    break
                words, pcm = piece
                self._rest = self._format.encode(pcm)
                if words:
                    start_ms = at_ms + self._format.ms(len(audio))
                    events += self._transcribed(words, start_ms, start_ms + self._format.ms(len(self._rest)))
            taken = size_bytes - len(audio)
            audio += self._rest[:taken]
            self._rest = self._rest[taken:]
        audio += self._format.silence(size_bytes - len(audio))
        if audio:
            # The API gives this event no id.
            events.append({"type": "session.output_audio.delta", "delta": pybase64.b64encode_as_string(audio)})
        return events

    def _transcribed(self, words: str, start_ms: float, end_ms: float) -> list[ServerEvent]:
        # All fragments of a session are one text, in which the end of an utterance is a space.
        is_apart = self._last.isspace() or words[0].isspace()
        words = f" {words}" if self._is_next and not is_apart else words
        self._is_next, self._last = False, words[-1]
        self._note(words)
        times = {"start_ms": int(start_ms), "end_ms": int(end_ms)}
        return self._show(server_event("session.output_transcript.delta", delta=words, **times))

    def _next_piece(self, at_ms: float, *, may_begin: bool) -> Piece | None:
        while True:
            if self._current is None:
                if not may_begin or not self._waiting or self._waiting[0].not_before_ms > at_ms:
                    return None
                self._current = self._waiting.popleft()
            self._speak_ahead(self._current)
            if (piece := self._current.take()) or not self._current.is_said:
                return piece
            self._current.is_over = True
            self._end()

    def _end(self) -> None:
        self._current = None
        self._is_next = True

    def _speak_ahead(self, utterance: Utterance) -> None:
        """Have the next piece spoken: here where the voice is quick, else in a thread, and some time in advance."""
        if utterance.is_being_spoken or not utterance.has_next or utterance.is_over:
            return
        if not self._is_slow:
            utterance.keep(utterance.speak())
        elif utterance.ready_bytes * 1000 < 2 * self._format.rate * _AHEAD_MS:
            utterance.is_being_spoken = True
            self._assign(Job("voice", lambda: self._spoken(utterance)))

    def _spoken(self, utterance: Utterance) -> Settle:
        try:
            piece = utterance.speak()
        except Exception:  # noqa: BLE001  # a model may raise anything; the rest of the utterance is not said
            logs.logger().exception("voice_failed")
            utterance.is_over = True
            piece = None

        def settle() -> list[ServerEvent]:
            utterance.is_being_spoken = False
            utterance.keep(piece)
            self._speak_ahead(utterance)
            return []

        return settle
