"""However an endpoint writes what it means: what it has sent reaches the outputs, or the run fails."""

import json
import random
import wave
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import RunnerError
from runner.outputs.playback import Playback
from runner.outputs.text import TextLines
from runner.outputs.transcript import Transcript
from runner.outputs.wav_recording import WavRecording
from runner.protocol.effects import TextCorrected
from runner.session.carriage import Carriage
from runner.session.outbox import Outbox
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.output import AudioOutput
from tests.helpers.odd_endpoint import OddEndpoint
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = [pytest.mark.anyio, pytest.mark.no_cover]
STREAMS = [range(first, first + 500) for first in range(0, 2000, 500)]
QUESTION: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]}


class Heard:
    """What the outputs of one session have made of it.

    Args:
        folder: Where the recording goes.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.wav"
        self.shown = self.written = ""
        self.failures: list[RunnerError] = []
        self.corrections: list[TextCorrected] = []
        output, rates = AudioOutput(kind="audio", path=str(self.path)), {"input": 24_000, "output": 24_000}
        self.recording = WavRecording(output, self.path, rates, self.failures.append)
        self._lines = TextLines(terminal=False)
        self._transcript = Transcript(is_played=True)
        self.playback = Playback([self.recording], listeners=[self.take])

    def take(self, update: Update) -> None:
        """Render an update as a sink does."""
        self.shown += self._lines.render([update])
        self.written += self._transcript.render([update])
        self.corrections += [each for each in update.effects if isinstance(each, TextCorrected)]

    def begin(self, session: Session) -> None:
        """Know the session."""
        self.playback.begin(session)
        self.recording.begin(session)

    async def sound(self) -> bytes:
        """The samples of the recording, once it is finished."""
        self.recording.close()
        await self.recording.run()
        with wave.open(str(self.path)) as file:
            return bytes(file.readframes(file.getnframes()))


async def stream(seed: int, folder: Path) -> None:
    """Run one session, and compare."""
    endpoint = OddEndpoint(random.Random(seed))  # noqa: S311  # reproducible, not secret
    heard = Heard(folder, str(seed))
    carriage = Carriage(anyio.current_time(), [heard.playback.take, heard.take])
    session = Session(carriage, Outbox(carriage, max_audio_age_s=1))
    connection = StillConnection()
    link = await still_link(connection, carriage.changes)
    connection.come(*endpoint.greeting())
    carriage.carry(link)
    heard.begin(session)
    said, sounds = [], b""
    for number in range(endpoint.chance.randrange(1, 4)):
        words = endpoint.words()
        audio = [bytes([number + 1, count + 1]) * 240 for count in range(3)] if endpoint.is_spoken else []
        await link.send({"type": "conversation.item.create", "item": QUESTION}, {"type": "response.create"})
        connection.come(*endpoint.answer(words, audio))
        said.append("".join(words))
        sounds += b"".join(audio)
    pending = link.state.is_pending
    failing = session.first_unanswered
    carriage.end()

    where = f"stream {seed}: {vars(endpoint)}"
    assert not pending, where
    assert not connection.is_closed, where
    recorded = await heard.sound()
    assert not heard.failures, where
    if endpoint.is_broken:
        assert failing, where
        assert failing.exit_code == 76, where
        return
    assert failing is None, f"{failing}, {where}"
    turns = [json.loads(line) for line in heard.written.splitlines()]
    assert [each["text"] for each in turns if each["role"] == "assistant"] == said, where
    assert recorded == sounds, where
    if endpoint.pieces == "snapshots" and heard.corrections:
        # The first answer was shown before its end told what its pieces were; the later ones are right.
        assert len(heard.corrections) == 1, where
        shown = heard.shown.splitlines()[1 + said[0].count("\n") :]
        assert shown == said[1:], where
        return
    assert heard.shown == "".join(f"{each}\n" for each in said), where
    assert not heard.corrections, where


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("seeds", STREAMS, ids=str)
async def test_what_an_endpoint_says_reaches_every_output_or_fails_the_run(seeds: range, tmp_path: Path) -> None:
    """Two thousand sessions: names, orders, ids, side fields; words in pieces, snapshots, sentences or at the end."""
    for seed in seeds:
        await stream(seed, tmp_path)
