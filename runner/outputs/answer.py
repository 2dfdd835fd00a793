"""An answer while it is heard."""

from dataclasses import dataclass

from runner.audio.format import AudioFormat
from runner.session.update import Update


@dataclass(slots=True)
class Answer:
    """An item whose audio is not known to be heard to its end."""

    response_id: str
    content_index: int
    epoch: int
    """The connection that it came on."""
    received_ms: float = 0.0
    is_complete: bool = False
    """Whether no more of it will come."""
    _rest: bytes = b""
    """The part of a sample that came last."""

    def add(self, audio: bytes, form: AudioFormat) -> bytes:
        """Take the next audio; returns its whole samples, as 16-bit ones."""
        audio = self._rest + audio
        whole = len(audio) - len(audio) % form.sample_bytes
        self._rest = audio[whole:]
        pcm = form.decode(audio[:whole])
        self.received_ms += duration_ms(pcm, form.rate)
        return pcm

    def is_heard(self, heard_ms: float) -> bool:
        """Whether so much is all of it; a sample may be lost between two rates."""
        return self.is_complete and heard_ms > self.received_ms - 1


def duration_ms(pcm: bytes, rate: int) -> float:
    """How long 16-bit samples last."""
    return len(pcm) * 500 / rate


def content_index(update: Update) -> int:
    """The part of its item that the audio of an update is."""
    index = update.event.get("content_index") if update.event else None
    return index if isinstance(index, int) else 0
