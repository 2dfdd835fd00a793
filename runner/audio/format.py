"""The formats of audio on the wire: how bytes, samples and milliseconds belong together."""

from typing import Final, Literal, NamedTuple

Encoding = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


class AudioFormat(NamedTuple):
    """One format; always a single channel."""

    encoding: Encoding
    rate: int
    """Samples a second."""
    sample_bytes: int
    """The size of a sample."""
    silent_byte: bytes = b"\0"
    """What every byte of silence is."""

    def seconds(self, size_bytes: int) -> float:
        """How long so many bytes last."""
        return size_bytes / (self.rate * self.sample_bytes)

    def ms(self, size_bytes: int) -> float:
        """How long so many bytes last, in milliseconds."""
        return size_bytes * 1000 / (self.rate * self.sample_bytes)

    def size_bytes(self, ms: float) -> int:
        """How many bytes last so long; whole samples, the nearest."""
        return round(ms * self.rate / 1000) * self.sample_bytes

    def silence(self, size_bytes: int) -> bytes:
        """So many bytes of silence."""
        return self.silent_byte * size_bytes

    def decode(self, audio: bytes) -> bytes:
        """The 16-bit samples of audio in this format; half a sample at the end is dropped."""
        if self.encoding == "audio/pcm":
            return audio if len(audio) % 2 == 0 else audio[:-1]
        # Only G.711 needs the module; a session starts faster without it.
        from runner.audio import samples

        return samples.from_ulaw(audio) if self.encoding == "audio/pcmu" else samples.from_alaw(audio)

    def encode(self, pcm: bytes) -> bytes:
        """16-bit samples in this format."""
        if self.encoding == "audio/pcm":
            return pcm
        from runner.audio import samples

        return samples.to_ulaw(pcm) if self.encoding == "audio/pcmu" else samples.to_alaw(pcm)


PCM: Final = AudioFormat("audio/pcm", 24_000, 2)
PCMU: Final = AudioFormat("audio/pcmu", 8_000, 1, b"\xff")
PCMA: Final = AudioFormat("audio/pcma", 8_000, 1, b"\xd5")
FORMATS: Final[dict[str, AudioFormat]] = {each.encoding: each for each in (PCM, PCMU, PCMA)}
"""The formats by the API's names."""
