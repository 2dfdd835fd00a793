"""The playback of answers: what it reports as heard, and when."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from runner.audio.playout import Heard
from runner.outputs.playback import MAX_ANSWERS, Playback
from runner.outputs.session_output import Piece, Player
from runner.protocol.effects import AudioDelta, Effect, Played
from runner.session.carriage import Carriage
from runner.session.outbox import Outbox
from runner.session.session import Session
from runner.session.update import Update
from tests.helpers.endpoint_scripts import reached
from tests.helpers.peer import Peer
from tests.helpers.spoken_session import barge_in, ended, heard, obey, ramp, sent, speak, transcript, wav
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio
LIVE: dict[str, Any] = {"kind": "stdout", "format": "audio", "pace": "real-time"}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Real time on asyncio, virtual time on trio."""
    return virtual_time(request.param)


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a transcript."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_each_answer_is_reported_at_its_own_end(tmp_path: Path) -> None:
    """Though the next one waits already, and all of it came at once."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(300), "one")
        await speak(peer, ramp(600), "two", number=2)
        await obey(peer)

    said = tmp_path / "t"
    async with heard([wav(tmp_path / "o.wav"), transcript(said)], script) as each:
        assert each.outlets.playback
        await reached(lambda: len(lines(said)) == 1)
        plays = [each.outlets.playback.is_playing]
        await reached(lambda: len(lines(said)) == 2)
        plays.append(each.outlets.playback.is_playing)

    assert plays == [True, False]
    assert [each["heard_ms"] for each in lines(said)] == [300, 600]


async def test_what_is_said_out_of_band_is_heard_and_stopped_but_in_no_history(tmp_path: Path) -> None:
    """Its response is cancelled by name; there is nothing to truncate."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(3000), "aside", end=False, conversation=None)
        await anyio.sleep(0.1)
        await barge_in(peer)
        await peer.until("response.cancel")
        await ended(peer, "aside", status="cancelled")
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav")], script) as each:
        await reached(lambda: sent(each.peers[0], "response.cancel"))
        await reached(lambda: each.session.state.usage.responses)

    (event,) = sent(each.peers[0], "response.cancel")
    assert event["response_id"] == "resp_1"
    assert [each["type"] for each in each.peers[0].received] == ["session.update", "response.cancel"]


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_session_that_ends_in_mid_answer_says_what_was_heard(tmp_path: Path, is_live: bool) -> None:
    """Where the user listens, the words so far; in a file the rest will be heard too."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(10_000), "word " * 100)
        await obey(peer)

    said = tmp_path / "t"
    outputs = [transcript(said), LIVE if is_live else wav(tmp_path / "o.wav")]
    async with heard(outputs, script) as each:
        await reached(lambda: each.session.state.usage.responses)
        await anyio.sleep(0.3)
    (line,) = lines(said)

    assert line["status"] == ("interrupted" if is_live else "completed")
    assert len(line["text"].split()) == pytest.approx(line["heard_ms"] / 100, abs=2)
    assert (line["heard_ms"] < 10_000) == is_live


async def test_words_whose_sound_never_came_were_not_heard(tmp_path: Path) -> None:
    """Interrupted before the first sound: the item goes, history is without it, and later turns are written."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, b"", "unheard words", end=False)
        await barge_in(peer)
        ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        await peer.send({"type": "response.output_audio.delta", "delta": "AAAA", **ids})
        await ended(peer, "unheard words", status="cancelled")
        await peer.until("conversation.item.delete")
        await peer.send({"type": "conversation.item.deleted", "item_id": "item_1"})
        await speak(peer, ramp(100), "but this", number=2)
        await obey(peer)

    said = tmp_path / "t"
    async with heard([transcript(said), wav(tmp_path / "o.wav")], script) as each:
        await reached(lambda: len(lines(said)) == 2)
        history = [item.text for item in each.session.state.conversation.items]

    assert [(line["text"], line["status"]) for line in lines(said)] == [("", "interrupted"), ("but this", "completed")]
    assert history == ["but this"]


async def test_half_a_sample_waits_for_its_other_half(tmp_path: Path) -> None:
    """An endpoint that cuts audio anywhere is heard as it should be; what cannot be decoded holds up nothing."""
    pcm = ramp(100)

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, b"", "cut", end=False)
        ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        for part in ("?", *(base64.b64encode(each).decode() for each in (pcm[:7], pcm[7:4001], pcm[4001:]))):
            await peer.send({"type": "response.output_audio.delta", "delta": part, **ids})
        await ended(peer, "cut")
        await obey(peer)

    said, file = tmp_path / "t", tmp_path / "o.wav"
    async with heard([transcript(said), wav(file)], script):
        await reached(lambda: len(lines(said)) == 1)

    assert file.read_bytes()[44:] == pcm


class Silent:
    """A player that plays nothing."""

    def play(self, piece: Piece) -> None:
        """Drop a piece."""

    def cut(self, heard: Sequence[Heard]) -> None:
        """Have nothing to drop."""


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_answers_that_never_end_are_bounded() -> None:
    """The oldest count as heard."""
    carriage = Carriage(anyio.current_time())
    reported: list[Effect] = []
    playback = Playback([cast("Player", Silent())], listeners=[lambda update: reported.extend(update.effects)])
    playback.begin(Session(carriage, Outbox(carriage, max_audio_age_s=1)))
    for number in range(MAX_ANSWERS + 10):
        playback.take(Update({}, [AudioDelta(f"r{number}", f"i{number}", "AAAA")], 0.0, 1))

    assert [each.item_id for each in reported if isinstance(each, Played)] == [f"i{number}" for number in range(10)]
