"""Audio on the wire: base64 inside JSON."""

from typing import Final

import pybase64

from runner.errors import IllegalEvent

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024
"""The longest base64 text of one `input_audio_buffer.append`, in bytes."""


def append_message(event_id: str, audio: bytes | bytearray | memoryview) -> bytes:
    """The text of one `input_audio_buffer.append`; neither base64 nor an id of ours needs escaping in JSON.

    Raises:
        IllegalEvent: More audio than the API takes in one event.
    """
    if memoryview(audio).nbytes * 4 > MAX_APPEND_BYTES * 3:
        msg = f"`input_audio_buffer.append` takes at most {MAX_APPEND_BYTES * 3 // 4} bytes of audio"
        raise IllegalEvent(msg, hint="send it in pieces")
    return b'{"type":"input_audio_buffer.append","event_id":"%b","audio":"%b"}' % (
        event_id.encode(),
        pybase64.b64encode(audio),
    )


def decoded(audio: str) -> bytes:
    """The bytes of base64 text; the strict form is also the fastest. Raises `ValueError` for anything else."""
    return pybase64.b64decode(audio, validate=True)
