"""The audio formats of a session, as its session object names them."""

from collections.abc import Container
from typing import Any, Final, Literal

from runner.audio.format import FORMATS, PCM, PCMA, PCMU, AudioFormat
from runner.protocol.json_fields import JsonObject

_PREVIEW_NAMES: Final = {"g711_ulaw": PCMU, "g711_alaw": PCMA}
_PCM_NAMES: Final[Container[object]] = (None, "audio/pcm", "pcm16")
_KNOWN_NAMES: Final = FORMATS.keys() | _PREVIEW_NAMES.keys() | {"pcm16"}


MIN_RATE, MAX_RATE = 8_000, 192_000
"""What an endpoint may call the rate of its PCM; whatever else it says is not believed."""

Direction = Literal["input", "output"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("input", "output")


def format_of(session: JsonObject, side: Direction) -> AudioFormat:
    """The format of one direction of a session; PCM of 24 kHz where it does not say or says something unknown.

    Args:
        session: A session object, of the current protocol or of the preview one.
        side: Which direction.
    """
    name, rate = _named(session, side)
    found = (FORMATS.get(name) or _PREVIEW_NAMES.get(name) or PCM) if isinstance(name, str) else PCM
    if found is PCM and _is_possible(rate) and rate != PCM.rate:
        return AudioFormat("audio/pcm", int(rate), PCM.sample_bytes)
    return found


def format_problem(session: JsonObject, side: Direction) -> str:
    """What is wrong with the format that an endpoint reports, nothing where it can be used."""
    name, _ = _named(session, side)
    if name is not None and not (isinstance(name, str) and name in _KNOWN_NAMES):
        return f"`audio.{side}.format` is no format of the API"
    if unusable_rate(session, side) is not None:
        return f"`audio.{side}.format.rate` is not from {MIN_RATE} to {MAX_RATE}"
    return ""


def unusable_rate(session: JsonObject, side: Direction) -> object:
    """The rate that an endpoint reports for its PCM, where no audio has such a rate; otherwise None."""
    name, rate = _named(session, side)
    return None if name not in _PCM_NAMES or _is_possible(rate) else rate


def _named(session: JsonObject, side: Direction) -> tuple[Any, Any]:
    audio = session.get("audio")
    settings = audio.get(side) if isinstance(audio, dict) else None
    form = settings.get("format") if isinstance(settings, dict) else session.get(f"{side}_audio_format")
    if form is None and isinstance(audio, dict):
        # A Live session has one format for both directions.
        form = audio.get("format")
    return (form.get("type"), form.get("rate")) if isinstance(form, dict) else (form, None)


def _is_possible(rate: Any) -> bool:
    is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
    return is_number and MIN_RATE <= rate <= MAX_RATE and rate == int(rate)
