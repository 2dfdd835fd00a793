"""Recordings of a session: what was heard, what was said, and both side by side."""

import os
import signal
import wave
from array import array
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from runner.errors import ProtocolError
from runner.outputs.wav_file import HEADER_BYTES
from tests.helpers.command_process import Command, profile
from tests.helpers.endpoint_scripts import reached
from tests.helpers.peer import Peer, serving
from tests.helpers.spoken_session import HEARING, RATE, barge_in, heard, obey, ramp, sent, speak, wav
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Real time on asyncio, virtual time on trio."""
    return virtual_time(request.param)


def tracks(path: Path) -> tuple[int, list["array[int]"]]:
    """Rate and samples of each track."""
    with wave.open(str(path)) as file:
        samples = array("h", file.readframes(file.getnframes()))
        return file.getframerate(), [samples[each :: file.getnchannels()] for each in range(file.getnchannels())]


def span_ms(track: "array[int]", rate: int = RATE) -> tuple[float, float]:
    """Where its sound begins and ends."""
    loud = [index for index, sample in enumerate(track) if abs(sample) > 300]
    return loud[0] * 1000 / rate, (loud[-1] + 1) * 1000 / rate


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_both_sides_stand_where_they_were_in_time(tmp_path: Path) -> None:
    """The user on the left without gaps from jitter, the assistant on the right when it is heard."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, peer)
            await reached(lambda: len(sent(peer, "input_audio_buffer.append")) == 10)
            await speak(peer, array("h", [9000] * 12_000).tobytes(), "hm")

    path = tmp_path / "both.wav"
    async with heard([wav(path, "both"), wav(tmp_path / "in.wav", "input")], script) as each:
        began_s = anyio.current_time()
        await anyio.sleep(0.3)
        said_s = anyio.current_time()
        for number in range(10):
            await each.session.append_audio(array("h", [5000 + number] * 720).tobytes())
            await anyio.sleep_until(said_s + (number + 1) * 0.03 + 0.02 * (number % 2))
        await each.session.send({"type": "input_audio_buffer.append", "audio": "AAAA"})
        await reached(lambda: each.session.state.usage.responses)
    rate, (left, right) = tracks(path)

    assert rate == RATE
    assert span_ms(left)[0] == pytest.approx((said_s - began_s) * 1000, abs=30)
    assert span_ms(left)[1] - span_ms(left)[0] == pytest.approx(300)
    assert all(each for each in left[round(span_ms(left)[0] * 24) : round(span_ms(left)[1] * 24)])
    assert span_ms(right)[1] - span_ms(right)[0] == pytest.approx(500)
    assert span_ms(right)[0] == pytest.approx((said_s - began_s) * 1000 + 270, abs=100)
    assert tracks(tmp_path / "in.wav")[1][0] == array("h", [5000 + n for n in range(10) for _ in range(720)] + [0])


async def test_sides_of_different_formats_meet_at_the_higher_rate(tmp_path: Path) -> None:
    """A telephone speaks 8 kHz µ-law and hears 24 kHz; both last as long as they did."""
    pytest.importorskip("soxr")
    form = {"input": {"turn_detection": HEARING, "format": {"type": "audio/pcmu"}}}

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        await speak(peer, array("h", [9000] * 24_000).tobytes(), "hm")
        await obey(peer)

    async with heard([wav(tmp_path / "b.wav", "both"), wav(tmp_path / "i.wav", "input")], script, audio=form) as each:
        for _ in range(5):
            await each.session.append_audio(b"\x10" * 1600)
        await reached(lambda: each.session.state.usage.responses)
        assert not each.failures
    rate, (left, right) = tracks(tmp_path / "b.wav")

    assert rate == RATE
    assert span_ms(left)[1] - span_ms(left)[0] == pytest.approx(1000, abs=2)
    assert span_ms(right)[1] - span_ms(right)[0] == pytest.approx(1000)
    assert tracks(tmp_path / "i.wav")[0] == 8000
    assert len(tracks(tmp_path / "i.wav")[1][0]) == 8000


async def test_an_interruption_cuts_one_side_and_keeps_the_other(tmp_path: Path) -> None:
    """What the user says goes on; the assistant is silent from where it was interrupted."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, array("h", [9000] * 240_000).tobytes(), "hm")
        await peer.until("input_audio_buffer.append")
        await anyio.sleep(0.3)
        await barge_in(peer)
        await obey(peer)

    async with heard([wav(tmp_path / "b.wav", "both")], script) as each:
        # The file in which an answer already stands to its end is cut back and written into again.
        await reached(lambda: each.session.state.usage.responses)
        await each.session.append_audio(array("h", [5000] * 24_000).tobytes())
        await reached(lambda: sent(each.peers[0], "conversation.item.truncate"))
        (event,) = sent(each.peers[0], "conversation.item.truncate")
    _, (left, right) = tracks(tmp_path / "b.wav")

    assert span_ms(right)[1] - span_ms(right)[0] == pytest.approx(event["audio_end_ms"], abs=2)
    assert span_ms(left)[1] - span_ms(left)[0] == pytest.approx(1000)
    assert len(left) == len(right) == round(max(span_ms(left)[1], span_ms(right)[1]) * 24)


async def test_what_cannot_be_decoded_is_left_out(tmp_path: Path) -> None:
    """A broken delta costs its own samples only."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        ids = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
        for _ in range(2):
            await peer.send({"type": "response.output_audio.delta", "delta": "no base64!", **ids})
        await speak(peer, ramp(100), "hm")
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav")], script) as each:
        await reached(lambda: each.session.state.usage.responses)
        assert not each.failures
        assert isinstance(each.session.first_unanswered, ProtocolError)

    assert tracks(tmp_path / "o.wav")[1][0].tobytes() == ramp(100)


PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[input]
kind = "none"
[[outputs]]
kind = "audio"
path = "heard.wav"
[run]
until = "signal"
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_killed_process_leaves_all_that_it_has_heard(tmp_path: Path) -> None:
    """Kill -9 in the middle of an answer: samples do not wait for its end to be written, and the file opens."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(1000), "hm", delta_ms=20, pace=0.5, end=False)
        await obey(peer)

    path = tmp_path / "heard.wav"
    async with serving(script) as (port, _):
        command = Command("--profile", profile(tmp_path, PROFILE.format(port=port)), folder=tmp_path)
        await reached(lambda: path.exists() and path.stat().st_size == HEADER_BYTES + len(ramp(1000)))
        # The header follows the samples at once.
        await reached(lambda: tracks(path)[1][0].tobytes() == ramp(1000))
        os.kill(command.process.pid, signal.SIGKILL)
        await anyio.to_thread.run_sync(command.process.wait)
        command.release()

    assert tracks(path)[0] == RATE
    assert tracks(path)[1][0].tobytes() == ramp(1000)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_existing_recording_ends_the_run_before_it_connects(tmp_path: Path) -> None:
    """Exit 74, and the hint says how each session gets its own file."""
    (tmp_path / "heard.wav").write_bytes(b"precious")
    ended = Command("--profile", profile(tmp_path, PROFILE.format(port=9)), folder=tmp_path).end()

    assert ended.code == 74
    assert "{started}" in ended.stderr
