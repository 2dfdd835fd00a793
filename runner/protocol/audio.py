"""Audio on the wire: base64 inside JSON."""

import pybase64


def append_message(event_id: str, audio: bytes | bytearray | memoryview) -> bytes:
    """The text of one `input_audio_buffer.append`; neither base64 nor an id of ours needs escaping in JSON."""
    return b'{"type":"input_audio_buffer.append","event_id":"%b","audio":"%b"}' % (
        event_id.encode(),
        pybase64.b64encode(audio),
    )


def decoded(audio: str) -> bytes:
    """The bytes of base64 text; the strict form is also the fastest. Raises `ValueError` for anything else."""
    return pybase64.b64decode(audio, validate=True)
