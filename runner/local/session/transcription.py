"""The transcriptions of a session's audio, for its client or for its responses only."""

from collections.abc import Callable
from functools import partial
from typing import Final

from runner import logs
from runner.local.session.item_store import StoredItem
from runner.local.session.jobs import Job, Settle
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.interfaces import NotUnderstood, Transcriber
from runner.local.speech.tones import pieces

_KIND: Final = "conversation.item.input_audio_transcription"
_MAX_WAITING: Final = 8


def transcribe_turn(transcriber: Transcriber, pcm: bytes, rate: int) -> tuple[str | None, dict[str, str]]:
    """Transcribe a turn, in a worker thread; returns the words, or None and the API's error."""
    try:
        return transcriber.transcribe(pcm, rate).strip(), {}
    except NotUnderstood as error:
        message = f"The audio could not be transcribed: {error}"
        return None, {"type": "transcription_error", "code": "audio_unintelligible", "message": message}
    except Exception as error:  # noqa: BLE001  # a model may raise anything; the client gets an error
        logs.logger().exception("transcriber_failed")
        message = f"The transcriber failed: {type(error).__name__}."
        return None, {"type": "server_error", "code": "transcription_failed", "message": message}


class Transcriptions:
    """Has the audio of items transcribed in a worker thread.

    Args:
        transcriber: The transcriber.
        assign: Called with each job that comes up.
    """

    def __init__(self, transcriber: Transcriber, assign: Callable[[Job], None]) -> None:
        self._transcriber = transcriber
        self._assign = assign
        self._in_progress = 0

    @property
    def is_behind(self) -> bool:
        """Whether so many items wait that the session takes no more messages."""
        return self._in_progress > _MAX_WAITING

    def transcribe(self, stored: StoredItem, *, is_sent: bool) -> None:
        """Have an item's audio transcribed, once; `is_sent` says whether the client is sent the outcome."""
        audio = stored.start_transcription()
        if audio is None:
            return

        def work() -> Settle:
            words, error = transcribe_turn(self._transcriber, audio.pcm(), audio.audio_format.rate)
            return partial(self._settle, stored, words, error, is_sent=is_sent)

        self._in_progress += 1
        self._assign(Job("transcriber", work))

    def _settle(
        self, stored: StoredItem, words: str | None, error: dict[str, str], *, is_sent: bool
    ) -> list[ServerEvent]:
        self._in_progress -= 1
        callbacks = stored.end_transcription(words or "")
        events: list[ServerEvent] = []
        if is_sent and not stored.is_deleted:
            events += self._failed(stored, error) if words is None else self._completed(stored, words)
        return events + [each for go_on in callbacks for each in go_on()]

    def _completed(self, stored: StoredItem, words: str) -> list[ServerEvent]:
        stored.item["content"][0]["transcript"] = words
        place = {"item_id": stored.id, "content_index": 0}
        usage = {"type": "duration", "seconds": stored.audio_ms / 1000}
        return [
            *(server_event(f"{_KIND}.delta", **place, delta=piece) for piece in pieces(words)),
            server_event(f"{_KIND}.completed", **place, transcript=words, usage=usage),
        ]

    def _failed(self, stored: StoredItem, error: dict[str, str]) -> list[ServerEvent]:
        return [server_event(f"{_KIND}.failed", item_id=stored.id, content_index=0, error=error)]
