"""A recording that a Live session plays to its user, word for word."""

from typing import Final

import pybase64

from runner.api.live_events import MAX_FIXTURE_MS, FixturePlay
from runner.audio.format import PCM, AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.parsing import decode_audio
from runner.local.session.server_event import ServerEvent, answer_to

PIECE_MS: Final = 40


class Fixture:
    """A recording that is being played, in pieces of `PIECE_MS` for each of which that time goes by.

    Args:
        play: What asks for it.
        audio_format: The format of the session.

    Raises:
        ApiError: It is no such audio, or too long.
    """

    def __init__(self, play: FixturePlay, audio_format: AudioFormat) -> None:
        pcm = decode_audio(play.audio, "audio")
        if not pcm or len(pcm) % PCM.sample_bytes or PCM.ms(len(pcm)) > MAX_FIXTURE_MS:
            message = f"Invalid 'audio': whole samples of 16 bits at 24 kHz are needed, at most {MAX_FIXTURE_MS} ms."
            raise ApiError(message, code="invalid_value", param="audio")
        if audio_format.rate != PCM.rate:
            from runner.audio.resampling import Resampler

            pcm = Resampler(PCM.rate, audio_format.rate).convert(pcm, last=True)
        self._play = play
        self._audio = audio_format.encode(pcm)
        self._size = audio_format.size_bytes(PIECE_MS)
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Whether all of it was played."""
        return self._at >= len(self._audio)

    def begin(self) -> list[ServerEvent]:
        """It is accepted."""
        return [answer_to(self._play, "session.output_audio.fixture.playing")]

    def advance(self) -> tuple[int, list[ServerEvent]]:
        """It goes on by a piece; returns how many bytes that are, and the events."""
        piece = self._audio[self._at : self._at + self._size]
        self._at += len(piece)
        events: list[ServerEvent] = [
            {"type": "session.output_audio.delta", "delta": pybase64.b64encode_as_string(piece)}
        ]
        if self.is_over:
            events.append(answer_to(self._play, "session.output_audio.fixture.played"))
        return len(piece), events
