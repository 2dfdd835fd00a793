"""How much of what was said the endpoint has still to hear."""

import struct
from types import SimpleNamespace
from typing import cast

import pytest

from runner.inputs.spoken_audio import SpokenAudio
from runner.protocol.pending import Pending
from runner.session.session import Session

RATE = 24_000


class StillSession:
    """A session without a connection: a test says which one carries it, and how far that one has heard."""

    def __init__(self) -> None:
        self.pending = Pending()

    @property
    def state(self) -> SimpleNamespace:
        """What is known on this connection."""
        return SimpleNamespace(pending=self.pending)

    def move(self) -> None:
        """Have another connection."""
        self.pending = Pending()

    def hear(self, at_ms: int) -> None:
        """Have heard so far."""
        self.pending.hear("speaking", at_ms)


def noise(duration_s: float, peak: int) -> bytes:
    """So many seconds of something that is so loud."""
    samples = round(duration_s * RATE / 4)
    return struct.pack("<hhhh", peak, 0, -peak, 0) * samples


def spoken(*pieces: bytes) -> tuple[SpokenAudio, StillSession]:
    """What was said in these pieces of audio, all of it sent."""
    session = StillSession()
    audio = SpokenAudio(cast("Session", session))
    for piece in pieces:
        audio.take(piece, RATE)
        audio.sent(len(piece) / 2 / RATE * 1000)
    return audio, session


QUESTION = noise(0.5, 9000)
PAUSE = bytes(len(QUESTION))


def test_what_was_said_is_still_to_be_heard() -> None:
    """To its end, without the silence behind it, and less with every sign of turn detection."""
    audio, session = spoken(QUESTION, PAUSE, QUESTION, PAUSE, PAUSE)
    assert audio.rest_s == pytest.approx(1.5)
    session.hear(700)
    assert audio.rest_s == pytest.approx(0.8)
    session.hear(1500)
    assert audio.rest_s == 0
    assert audio.lost_s == 0


@pytest.mark.parametrize(
    ("quiet", "rest_s"), [(0, 0.0), (250, 0.0), (800, 0.0), (2000, 1.5)], ids=["silence", "hiss", "murmur", "speech"]
)
def test_what_is_far_quieter_than_the_loudest_is_not_said(quiet: int, rest_s: float) -> None:
    """A room goes on sounding after the last word."""
    audio, session = spoken(QUESTION, noise(1.5, quiet))
    session.hear(500)

    assert audio.rest_s == pytest.approx(rest_s)


def test_a_click_after_the_last_word_is_not_said() -> None:
    """Where it is all that there is, it may have been a word."""
    audio, session = spoken(QUESTION, PAUSE, noise(0.1, 9000), PAUSE)
    session.hear(600)
    assert audio.rest_s == 0

    audio, _ = spoken(noise(0.1, 9000))
    assert audio.rest_s == pytest.approx(0.1)


def test_what_a_lost_connection_had_not_heard_is_lost() -> None:
    """The next one begins to count anew, with what is sent from then on."""
    audio, session = spoken(QUESTION, PAUSE, QUESTION)
    session.hear(800)
    session.move()
    assert audio.rest_s == 0
    assert audio.lost_s == pytest.approx(0.5)

    audio.take(QUESTION, RATE)
    audio.sent(500)
    assert audio.rest_s == pytest.approx(0.5)
    session.hear(500)
    assert audio.rest_s == 0
    assert audio.lost_s == pytest.approx(0.5)


@pytest.mark.parametrize("size", [2, 322, 4096])
def test_it_is_the_same_however_the_audio_is_cut(size: int) -> None:
    """Half a sample at the end of a piece is not looked at."""
    whole = QUESTION + PAUSE + QUESTION
    audio, _ = spoken(*(whole[at : at + size] for at in range(0, len(whole), size)))

    assert audio.rest_s == pytest.approx(1.5)
