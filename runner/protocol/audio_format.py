"""What a session says of its audio: how long bytes last, and which byte is silence."""

from typing import Final, Literal

from runner.protocol.fields import JsonObject

_PCM_BYTES_A_SAMPLE: Final = 2
_PCM_RATE: Final = 24_000
_G711_RATE: Final = 8_000
_SILENCE: Final = {"audio/pcmu": b"\xff", "g711_ulaw": b"\xff", "audio/pcma": b"\xd5", "g711_alaw": b"\xd5"}


class AudioFormat:
    """The format of one direction; PCM of 24 kHz where the session does not say or says something unknown.

    Args:
        session: A session object, of the current protocol or of the preview one.
        side: Which direction.
    """

    def __init__(self, session: JsonObject, side: Literal["input", "output"]) -> None:
        audio = session.get("audio")
        settings = audio.get(side) if isinstance(audio, dict) else None
        form = settings.get("format") if isinstance(settings, dict) else session.get(f"{side}_audio_format")
        name = form.get("type") if isinstance(form, dict) else form
        rate = form.get("rate") if isinstance(form, dict) else None
        self._silence = _SILENCE.get(name, b"\0") if isinstance(name, str) else b"\0"
        self._bytes_a_second = _PCM_RATE * _PCM_BYTES_A_SAMPLE
        if self._silence != b"\0":
            self._bytes_a_second = _G711_RATE
        elif isinstance(rate, int) and rate > 0:
            self._bytes_a_second = rate * _PCM_BYTES_A_SAMPLE

    def seconds(self, size_bytes: int) -> float:
        """How long so many bytes last."""
        return size_bytes / self._bytes_a_second

    def silence(self, size_bytes: int) -> bytes:
        """So many bytes of silence."""
        return self._silence * size_bytes
