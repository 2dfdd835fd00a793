"""Writes down what users said: the transcriptions of a session, asked for or not."""

from collections.abc import Callable
from functools import partial
from typing import Final

from runner import logs
from runner.local.session.item_store import Entry
from runner.local.session.jobs import Job, ServerEvent, Settle
from runner.local.session.response import event
from runner.local.speech.interfaces import NotUnderstood, Transcriber
from runner.local.speech.tones import pieces

_KIND: Final = "conversation.item.input_audio_transcription"
_MAX_WAITING: Final = 8


def written(transcriber: Transcriber, pcm: bytes, rate: int) -> tuple[str | None, dict[str, str]]:
    """The words of a turn, or None and the API's error; to be called in a worker thread."""
    try:
        return transcriber.transcribe(pcm, rate).strip(), {}
    except NotUnderstood as refusal:
        message = f"The audio could not be transcribed: {refusal}"
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
        self._open = 0

    @property
    def is_behind(self) -> bool:
        """Whether so many turns wait that no more should be taken."""
        return self._open > _MAX_WAITING

    def hear(self, entry: Entry, *, is_shown: bool) -> None:
        """Have an item's audio written down; `is_shown` says whether the client asked for it."""
        if entry.recording is None:
            return
        recording, entry.recording, entry.is_being_heard = entry.recording, None, True

        def work() -> Settle:
            words, error = written(self._transcriber, recording.pcm(), recording.form.rate)
            return partial(self._settle, entry, words, error, is_shown=is_shown)

        self._open += 1
        self._assign(Job("transcriber", work))

    def _settle(self, entry: Entry, words: str | None, error: dict[str, str], *, is_shown: bool) -> list[ServerEvent]:
        self._open -= 1
        entry.is_being_heard = False
        entry.heard = words or ""
        events: list[ServerEvent] = []
        if is_shown and not entry.is_gone:
            events += self._failed(entry, error) if words is None else self._told(entry, words)
        waiting, entry.waiting = entry.waiting, []
        return events + [each for go_on in waiting for each in go_on()]

    def _told(self, entry: Entry, words: str) -> list[ServerEvent]:
        entry.item["content"][0]["transcript"] = words
        place = {"item_id": entry.id, "content_index": 0}
        usage = {"type": "duration", "seconds": entry.audio_ms / 1000}
        return [
            *(event(f"{_KIND}.delta", **place, delta=piece) for piece in pieces(words)),
            event(f"{_KIND}.completed", **place, transcript=words, usage=usage),
        ]

    def _failed(self, entry: Entry, error: dict[str, str]) -> list[ServerEvent]:
        return [event(f"{_KIND}.failed", item_id=entry.id, content_index=0, error=error)]
