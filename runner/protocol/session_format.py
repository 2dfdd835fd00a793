"""The audio formats of a session, as its session object names them."""

from typing import Final, Literal

from runner.audio.format import FORMATS, PCM, PCMA, PCMU, AudioFormat
from runner.protocol.json_fields import JsonObject

_PREVIEW_NAMES: Final = {"g711_ulaw": PCMU, "g711_alaw": PCMA}


def format_of(session: JsonObject, side: Literal["input", "output"]) -> AudioFormat:
    """The format of one direction of a session; PCM of 24 kHz where it does not say or says something unknown.

    Args:
        session: A session object, of the current protocol or of the preview one.
        side: Which direction.
    """
    audio = session.get("audio")
    settings = audio.get(side) if isinstance(audio, dict) else None
    form = settings.get("format") if isinstance(settings, dict) else session.get(f"{side}_audio_format")
    name = form.get("type") if isinstance(form, dict) else form
    rate = form.get("rate") if isinstance(form, dict) else None
    found = (FORMATS.get(name) or _PREVIEW_NAMES.get(name) or PCM) if isinstance(name, str) else PCM
    if found is PCM and isinstance(rate, int) and rate > 0 and rate != PCM.rate:
        return AudioFormat("audio/pcm", rate, PCM.sample_bytes)
    return found
