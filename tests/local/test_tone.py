"""The synthetic voice has the right length in each encoding."""

import pytest

from runner.local.tone import BYTES_PER_MS, MS_PER_CHARACTER, _encode, speak


@pytest.mark.parametrize("encoding", list(BYTES_PER_MS))
def test_length_follows_the_text(encoding: str) -> None:
    """Each character lasts as long as any other, and no text is no audio."""
    assert len(speak("abc", encoding)) == 3 * MS_PER_CHARACTER * BYTES_PER_MS[encoding]
    assert speak("", encoding) == b""


@pytest.mark.parametrize(
    ("sample", "mu_law", "a_law"),
    [(0, 0xFF, 0xD5), (8, 0xFE, 0xD5), (-8, 0x7E, 0x55), (1000, 0xCE, 0xFA), (-1000, 0x4E, 0x7A), (32767, 0x80, 0xAA)],
)
def test_companding_follows_g711(sample: int, mu_law: int, a_law: int) -> None:
    """Samples become the bytes of ITU-T G.711."""
    assert _encode(sample, "audio/pcmu") == bytes([mu_law])
    assert _encode(sample, "audio/pcma") == bytes([a_law])
