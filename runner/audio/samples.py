"""Arithmetic on 16-bit little-endian samples: G.711, loudness, channels.

It is audioop's, which came with Python up to 3.12 and is a package (audioop-lts) since.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

FULL_SCALE = 32768
"""The value that no 16-bit sample reaches."""
QUIET = 300
"""What is never louder than this is silence, in 16-bit samples: a Live session sends some all the time."""

_WIDTH = 2


def from_ulaw(audio: bytes) -> bytes:
    """Samples of G.711 µ-law."""
    return audioop.ulaw2lin(audio, _WIDTH)


def to_ulaw(pcm: bytes) -> bytes:
    """G.711 µ-law of samples."""
    return audioop.lin2ulaw(pcm, _WIDTH)


def from_alaw(audio: bytes) -> bytes:
    """Samples of G.711 A-law."""
    return audioop.alaw2lin(audio, _WIDTH)


def to_alaw(pcm: bytes) -> bytes:
    """G.711 A-law of samples."""
    return audioop.lin2alaw(pcm, _WIDTH)


def loudness(pcm: bytes) -> float:
    """The root mean square as a share of full scale, 0 to 1."""
    return audioop.rms(pcm, _WIDTH) / FULL_SCALE


def peak(pcm: bytes | memoryview) -> int:
    """The greatest distance of a sample from silence, up to full scale."""
    return audioop.max(pcm, _WIDTH)


def mono(stereo: bytes) -> bytes:
    """The mean of two channels."""
    return audioop.tomono(stereo, _WIDTH, 0.5, 0.5)
