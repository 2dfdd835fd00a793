"""Audio on the wire: base64 inside JSON."""

from typing import Final

import pybase64

from runner.api.session_types import APPEND, APPENDS, MAX_APPEND_BYTES
from runner.errors import IllegalEvent

_TEMPLATES: Final = {
    each: b'{"type":"%b","event_id":"%%b","audio":"%%b"}' % each.encode() for each in set(APPENDS.values())
}


def append_message(event_id: str, audio: bytes | bytearray | memoryview, event_type: str = APPEND) -> bytes:
    """The text of an event that appends audio; neither base64 nor an id of this side needs escaping in JSON.

    Args:
        event_id: The event's id.
        audio: The audio.
        event_type: The event's type, which depends on the kind of the session.

    Raises:
        IllegalEvent: More audio than the API takes in one event.
    """
    if memoryview(audio).nbytes * 4 > MAX_APPEND_BYTES * 3:
        msg = f"`{event_type}` takes at most {MAX_APPEND_BYTES * 3 // 4} bytes of audio"
        raise IllegalEvent(msg, hint="send it in pieces")
    return _TEMPLATES[event_type] % (event_id.encode(), pybase64.b64encode(audio))


def decoded(audio: str) -> bytes:
    """The bytes of base64 text; the strict form is also the fastest. Raises `ValueError` for anything else."""
    return pybase64.b64decode(audio, validate=True)
