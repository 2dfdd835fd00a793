"""What the user of a Live session says: the audio of a turn becomes fragments of a transcript."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from runner import logs
from runner.local.session.input_buffer import TurnAudio
from runner.local.session.jobs import Job, Settle
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.transcription import transcribe_turn
from runner.local.speech.interfaces import Transcriber
from runner.local.speech.tones import pieces

_MAX_WAITING: Final = 8


class LiveHearing:
    """Has the turns of the user written down, one after the other.

    Args:
        transcriber: The transcriber.
        assign: Called with each job that comes up.
        show: Called with each fragment of the transcript; returns it with the events that follow from it.
        then: Called with the words of each turn, none where they were not understood, and with its length in seconds;
            returns the events that follow those of the transcript.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        *,
        assign: Callable[[Job], None],
        show: Callable[[ServerEvent], list[ServerEvent]],
        then: Callable[[str, float], list[ServerEvent]],
    ) -> None:
        self._transcriber = transcriber
        self._assign = assign
        self._show = show
        self._then = then
        self._waiting = 0
        self._separator = ""
        """What the next fragment begins with, since all of them are one text."""

    @property
    def is_done(self) -> bool:
        """Whether all turns are written down."""
        return not self._waiting

    @property
    def is_behind(self) -> bool:
        """Whether so many turns wait that the session takes no more messages."""
        return self._waiting > _MAX_WAITING

    def take(self, audio: TurnAudio, start_ms: float, end_ms: float) -> None:
        """Have a turn written down that was spoken between these times of the session."""

        def work() -> Settle:
            words, _error = transcribe_turn(self._transcriber, audio.pcm(), audio.audio_format.rate)
            return partial(self._settle, words or "", start_ms, end_ms)

        self._waiting += 1
        self._assign(Job("transcriber", work))

    def _settle(self, words: str, start_ms: float, end_ms: float) -> list[ServerEvent]:
        self._waiting -= 1
        if not words:
            logs.logger().info("turn_not_understood")
        return [*self._fragments(words, start_ms, end_ms), *self._then(words, (end_ms - start_ms) / 1000)]

    def _fragments(self, words: str, start_ms: float, end_ms: float) -> Iterator[ServerEvent]:
        """The words, each at the place that follows from the number of letters before it."""
        said, ms_per_letter = 0, (end_ms - start_ms) / max(1, len(words))
        for piece in pieces(words):
            times = [int(start_ms + at * ms_per_letter) for at in (said, said + len(piece))]
            said += len(piece)
            delta = f"{self._separator}{piece}"
            self._separator = ""
            yield from self._show(
                server_event("session.input_transcript.delta", delta=delta, start_ms=times[0], end_ms=times[1])
            )
        self._separator = " " if words else self._separator
