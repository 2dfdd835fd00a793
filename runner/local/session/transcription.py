"""Writes down what users said: the transcriptions of a session, asked for or not."""

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


def transcribed(transcriber: Transcriber, pcm: bytes, rate: int) -> tuple[str | None, dict[str, str]]:
    """The words of a turn, or None and the API's error; to be called in a worker thread."""
    try:
        return transcriber.transcribe(pcm, rate).strip(), {}
    except NotUnderstood as error:
        message = f"The audio could not be transcribed: {error}"
        return None, {"type": "transcription_error", "code": "audio_unintelligible", "message": message}
    except Exception as error:  # noqa: BLE001  # a model may raise anything; the client is told
        logs.logger().exception("transcriber_failed")
        message = f"The transcriber failed: {type(error).__name__}."
        return None, {"type": "server_error", "code": "transcription_failed", "message": message}


class Transcriptions:
    """Has the audio of items written down in a worker thread.

    Args:
        transcriber: What understands it.
        assign: Takes the jobs.
    """

    def __init__(self, transcriber: Transcriber, assign: Callable[[Job], None]) -> None:
        self._transcriber = transcriber
        self._assign = assign
        self._in_progress = 0

    @property
    def is_behind(self) -> bool:
        """Whether so many turns wait that no more should be taken."""
        return self._in_progress > _MAX_WAITING

    def transcribe(self, stored: StoredItem, *, is_shown: bool) -> None:
        """Have an item's audio written down; `is_shown` says whether the client asked for it."""
        if stored.recording is None:
            return
        recording, stored.recording, stored.is_being_transcribed = stored.recording, None, True

        def work() -> Settle:
            words, error = transcribed(self._transcriber, recording.pcm(), recording.audio_format.rate)
            return partial(self._settle, stored, words, error, is_shown=is_shown)

        self._in_progress += 1
        self._assign(Job("transcriber", work))

    def _settle(
        self, stored: StoredItem, words: str | None, error: dict[str, str], *, is_shown: bool
    ) -> list[ServerEvent]:
        self._in_progress -= 1
        stored.is_being_transcribed = False
        stored.transcript = words or ""
        events: list[ServerEvent] = []
        if is_shown and not stored.is_deleted:
            events += self._failed(stored, error) if words is None else self._completed(stored, words)
        waiting, stored.after_transcription = stored.after_transcription, []
        return events + [each for go_on in waiting for each in go_on()]

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
