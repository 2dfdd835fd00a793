"""A conversation over many connections, each of which expires."""

from typing import Any

import anyio
import pytest

from runner.protocol.effects import AudioDelta
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.endurance.rollovers import lived
from tests.helpers.virtual_time import in_virtual_time

PCM_BYTES_A_SECOND = 48_000
SPEECH = " ".join(f"This is sentence number {number} of a rather long answer." for number in range(8))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_conversation_outlives_its_connections() -> None:
    """Each connection expires within seconds; every turn stands once and in order, here and at the endpoint."""
    found = anyio.run(lived, 3)

    assert found["rollovers"] >= 3
    assert (found["history_exact"], found["endpoint_exact"]) == (True, True)
    assert found["responses"] == found["turns"]


class Listener:
    """Keeps the audio that comes, and notes when a listener would have had nothing to hear."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.longest_gap_s = 0.0
        self._heard_until_s = 0.0
        self._response = ""

    def take(self, update: Update) -> None:
        """Keep a piece, and compare its time with the clock of somebody who listens."""
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                self._hear(effect.response_id, effect.decode(), anyio.current_time())

    def _hear(self, response: str, audio: bytes, now_s: float) -> None:
        self.heard += audio
        if response == self._response:
            self.longest_gap_s = max(self.longest_gap_s, now_s - self._heard_until_s)
        else:
            self._response, self._heard_until_s = response, now_s
        self._heard_until_s = max(self._heard_until_s, now_s) + len(audio) / PCM_BYTES_A_SECOND


async def spoken(answers: int, **run: Any) -> tuple[Listener, int]:
    """Have so many long answers spoken without a pause; returns what was heard, and the number of connections."""
    listener = Listener()
    endpoint = {"kind": "local", "script": [{"match": "go", "reply": SPEECH}], "delta_interval_ms": 10}
    profile = Profile.model_validate(
        {
            "version": 1,
            "endpoint": endpoint,
            "model": {"name": "test"},
            "session": {"output_modalities": ["audio"]},
            "run": run,
        }
    )
    async with open_session(profile, readers=[listener.take]) as session:
        for _ in range(answers):
            await session.say("go")
            await session.wait_answered()
        return listener, session.epoch


def test_a_rollover_in_mid_audio_is_not_heard() -> None:
    """Somebody speaks all the time, so each rollover comes due in mid-audio: no sample is lost, none comes twice."""
    reference, one = in_virtual_time(spoken, 1)
    listener, connections = in_virtual_time(spoken, 12, rollover={"max_age_s": 4.0})

    assert (one, connections >= 3) == (1, True)
    assert listener.heard == reference.heard * 12
    assert listener.longest_gap_s == 0
