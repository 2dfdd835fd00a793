"""One event of a session as one line of a journal, and back; audio may be reduced, secrets never get in.

A line is a JSON object of `at_s`, `direction`, `epoch` and `event`. Audio in `hash` form is an object of its length in
`bytes` and the first 16 hexadecimal digits of its `sha256` where the event had base64.
"""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple, get_args

from runner.protocol.audio_append import decoded
from runner.protocol.json_fields import JsonObject
from runner.protocol.json_text import dumps, loads
from runner.redaction import MASK, redact

Direction = Literal["in", "out", "note"]
"""A server event, a client event, or a note of the runner's own about the connection and the session."""

_HASH_CHARACTERS: Final = 16
_AUDIO_KEYS: Final = {
    "input_audio_buffer.append": "audio",
    "session.input_audio_buffer.append": "audio",
    "session.input_audio.append": "audio",
    "session.output_audio.fixture.play": "audio",
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
    "session.output_audio.delta": "delta",
    "input_audio": "audio",
    "output_audio": "audio",
    "audio": "audio",
}
"""Where audio stands, by the `type` of the event or of the content part."""

_CREDENTIALS = re.compile(r"(?<=//)[^/?#]*@|(?<=[?#]).+")


class Record(NamedTuple):
    """One event of a session, with when and which way it went."""

    at_s: float
    """When, in Unix seconds."""
    direction: Direction
    epoch: int
    """The number of the connection, from 1; 0 before there is any."""
    event: JsonObject


def line(record: Record, *, audio: Literal["hash", "keep"]) -> str:
    """The record as one line of JSON, without its end.

    Args:
        record: The record; it is not changed.
        audio: `hash` reduces audio to its length and a hash, `keep` leaves it as it is.
    """
    written = {**record._asdict(), "event": _written(record.event, _reduced if audio == "hash" else str, redact)}
    return dumps(written)


_LAST_DATE_S = 1 << 36
"""No journal is as late as the year 4000, in Unix seconds."""


def parsed(line: str | bytes) -> Record:
    """The record of a line; raises `ValueError` with what is wrong in a few words."""
    try:
        document = loads(line)
    except ValueError:
        msg = "not JSON"
        raise ValueError(msg) from None
    match document:
        case {"at_s": float() | int() as at_s, "direction": str(direction), "epoch": int(epoch), "event": dict(event)}:
            if direction in get_args(Direction) and epoch >= 0 and 0 <= at_s < _LAST_DATE_S:
                return Record(float(at_s), direction, epoch, event)  # type: ignore[arg-type]  # mypy does not see the test
    msg = "not a record of a journal"
    raise ValueError(msg)


def audio_bytes(audio: object) -> int:
    """The length of audio in an event or a line, in bytes; 0 for what is neither base64 nor its reduced form."""
    match audio:
        case str():
            return len(audio) * 3 // 4 - audio[-2:].count("=")
        case {"bytes": int(size_bytes)} if size_bytes >= 0:
            return size_bytes
    return 0


def restored(value: Any, audio: Callable[[int], str]) -> Any:
    """A copy of a journal's event, in which `audio` replaces reduced audio, given its length in bytes."""
    match value:
        case {"bytes": int(size_bytes), "sha256": str()}:
            return audio(size_bytes)
        case dict():
            return {key: restored(each, audio) for key, each in value.items()}
        case list():
            return [restored(each, audio) for each in value]
    return value


def _written(value: Any, audio: Callable[[str], Any], text: Callable[[str], str]) -> Any:
    match value:
        case str():
            return text(value)
        case dict():
            kind = value.get("type")
            heard = _AUDIO_KEYS.get(kind) if isinstance(kind, str) else None
            return {
                redact(key): audio(each)
                if key == heard and isinstance(each, str)
                else _written(each, audio, _treatment(key, text))
                for key, each in value.items()
            }
        case list() | tuple():
            return [_written(each, audio, text) for each in value]
    return value


def _treatment(key: str, text: Callable[[str], str]) -> Callable[[str], str]:
    """What happens to every text under a key: once masked, whatever lies deeper is masked too."""
    return text if text is _masked else _TREATMENTS.get(key.lower().replace("-", "_"), text)


def _masked(_text: str) -> str:
    return MASK


def _without_credentials(address: str) -> str:
    return _CREDENTIALS.sub(MASK, redact(address))


_TREATMENTS: Final[dict[str, Callable[[str], str]]] = {
    "authorization": _masked,
    "headers": _masked,
    "client_secret": _masked,
    "api_key": _masked,
    "access_token": _masked,
    "password": _masked,
    "server_url": _without_credentials,
}


def _reduced(audio: str) -> JsonObject:
    try:
        data = decoded(audio)
    except ValueError:
        # It may be audio all the same, cut short or padded wrongly.
        data = audio.encode(errors="replace")
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()[:_HASH_CHARACTERS]}
