"""The user speaks over an answer: it stops at once, and history says what was heard."""

import json
import wave
from pathlib import Path

import anyio
import pytest

from runner.protocol.history import heard as heard_words
from tests.helpers.endpoint_scripts import moved, reached
from tests.helpers.peer import Peer
from tests.helpers.spoken_session import RATE, barge_in, ended, heard, obey, ramp, sent, speak, transcript, wav
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio
WORDS = " ".join(f"word{number:03}" for number in range(100))
ANSWER_MS = 10_000


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Real time on asyncio, virtual time on trio."""
    return virtual_time(request.param)


def samples(path: Path) -> bytes:
    """The samples of a recording."""
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


async def cut(folder: Path, number: int, after_ms: int, answer_ms: int) -> int:
    """Interrupt an answer that has come whole: what the endpoint, the files and history say was heard, which agree."""
    path, said = folder / f"{number}.wav", folder / f"{number}.jsonl"

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(answer_ms), WORDS, end=number % 2 == 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, peer)
            await anyio.sleep(after_ms / 1000)
            await barge_in(peer)
            if number % 2:
                await ended(peer, WORDS, status="cancelled")

    async with heard([wav(path), transcript(said)], script) as each:
        state = each.session.state
        await reached(lambda: sent(each.peers[0], "conversation.item.truncate"))
        (truncation,) = sent(each.peers[0], "conversation.item.truncate")
        item = state.conversation.by_id["item_1"]
        await reached(lambda: item.is_announced)
        words = "".join(heard_words(item, state.configuration.output_format).values())
    heard_ms: int = truncation["audio_end_ms"]
    pcm = samples(path)
    (line,) = map(json.loads, said.read_text().splitlines())

    assert pcm == ramp(answer_ms)[: len(pcm)]
    assert len(pcm) / 2 / RATE * 1000 == pytest.approx(heard_ms, abs=1.1)
    assert (truncation["item_id"], truncation["content_index"]) == ("item_1", 0)
    assert (line["text"], line["status"], line["heard_ms"]) == (words, "interrupted", heard_ms)
    assert len(words) == pytest.approx(len(WORDS) * heard_ms / answer_ms, abs=8)
    assert not sent(each.peers[0], "response.cancel")
    return heard_ms


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_ten_of_ten_barge_ins_cut_where_the_recording_ends(tmp_path: Path) -> None:
    """A whole answer has come; truncation, recording, transcript and history agree on what was heard, and on when."""
    wanted = {number: 200 + 61 * number for number in range(10)}
    cuts: dict[int, int] = {}

    async def one(number: int) -> None:
        cuts[number] = await cut(tmp_path, number, wanted[number], 2000)

    async with anyio.create_task_group() as tasks:
        for number in wanted:
            tasks.start_soon(one, number)

    late = [cuts[number] - after_ms for number, after_ms in wanted.items()]
    assert min(late) >= 0
    assert max(late) <= 200


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("number", [0, 1])
async def test_a_barge_in_in_real_time_cuts_where_the_recording_ends(tmp_path: Path, number: int) -> None:
    """Whether the response had ended or is cancelled by the endpoint, all agree on what was heard."""
    assert 0 < await cut(tmp_path, number, 300, ANSWER_MS) < ANSWER_MS


async def test_late_deltas_are_not_heard_and_the_next_answer_is(tmp_path: Path) -> None:
    """What comes of an interrupted answer afterwards is dropped, in the recording and in the transcript."""
    path, said = tmp_path / "o.wav", tmp_path / "t"

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(1000), "one two three four", end=False)
        await anyio.sleep(0.3)
        await barge_in(peer)
        await speak(peer, ramp(1000, first=9000), "five", end=False)
        await ended(peer, "one two three four five", status="cancelled")
        await speak(peer, ramp(200, first=20_000), "the next", number=2)
        await obey(peer)

    async with heard([wav(path), transcript(said, "markdown")], script) as each:
        await reached(lambda: each.session.state.usage.responses == 2)
        assert not each.failures
        assert each.session.first_unanswered is None
    pcm = samples(path)
    end = len(pcm) - len(ramp(200))

    assert end > 0
    assert pcm[end:] == ramp(200, first=20_000)
    assert pcm[:end] == ramp(1000)[:end]
    first, _, second, _ = said.read_text().splitlines()
    assert first.startswith("**Assistant**")
    assert first.endswith("*(interrupted)*")
    assert "five" not in first
    assert second.endswith("the next")


async def test_an_endpoint_that_goes_on_gets_a_cancel() -> None:
    """Where the response does not end by itself it is cancelled, once and by its name."""
    cancelled = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(2000), WORDS, end=False)
        await anyio.sleep(0.05)
        await barge_in(peer)
        await peer.until("response.cancel")
        await ended(peer, WORDS, status="cancelled")
        cancelled.set()
        await obey(peer)

    async with heard([{"kind": "stdout", "format": "audio", "pace": "real-time"}], script) as each:
        await cancelled.wait()
        (event,) = sent(each.peers[0], "response.cancel")
        kinds = [each["type"] for each in each.peers[0].received[1:]]

    assert event["response_id"] == "resp_1"
    assert kinds == ["conversation.item.truncate", "response.cancel"]


async def test_what_was_not_heard_is_deleted_once_its_response_is_over(tmp_path: Path) -> None:
    """Of two answers that were received the second had not begun: the API cannot truncate it to nothing."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(ANSWER_MS), WORDS, number=1)
        await speak(peer, ramp(2000), WORDS, number=2, end=False)
        await anyio.sleep(0.1)
        await barge_in(peer)
        await peer.until("conversation.item.truncate")
        await anyio.sleep(0.1)
        assert not sent(peer, "conversation.item.delete")
        await ended(peer, WORDS, number=2, status="cancelled")
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav"), transcript(tmp_path / "t")], script) as each:
        await reached(lambda: sent(each.peers[0], "conversation.item.delete"))
        await reached(lambda: each.session.state.conversation.get("item_2") is None)
    first, second = map(json.loads, (tmp_path / "t").read_text().splitlines())

    assert first["heard_ms"] > 0
    assert (second["text"], second["status"], second["heard_ms"]) == ("", "interrupted", 0)


@pytest.mark.parametrize("detection", [{"type": "server_vad", "interrupt_response": False}, None])
async def test_it_is_off_where_the_profile_says_so(tmp_path: Path, detection: dict[str, object] | None) -> None:
    """Without `interrupt_response` the answer is heard to its end."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(400), "all of it")
        await barge_in(peer)
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav"), transcript(tmp_path / "t")], script, turn_detection=detection) as each:
        await reached(lambda: (tmp_path / "t").read_text())
        assert kinds(each.peers[0]) == ["session.update"]

    assert samples(tmp_path / "o.wav") == ramp(400)
    line = json.loads((tmp_path / "t").read_text())
    assert (line["text"], line["status"], line["heard_ms"]) == ("all of it", "completed", 400)


def kinds(peer: Peer) -> list[str]:
    """The types of what a connection received, in order."""
    return [each["type"] for each in peer.received]


async def test_the_user_may_interrupt_by_hand(tmp_path: Path) -> None:
    """A key that is pressed stops the answer, and without turn detection the client ends the response."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(ANSWER_MS), WORDS, end=False)
        await peer.until("response.cancel")
        await ended(peer, WORDS, status="cancelled")
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav")], script, turn_detection=None) as each:
        playback = each.outlets.playback
        assert playback
        await reached(lambda: playback.is_playing)
        await anyio.sleep(0.05)
        playback.interrupt()
        assert not playback.is_playing
        await reached(lambda: sent(each.peers[0], "conversation.item.truncate"))

    assert kinds(each.peers[0])[1:] == ["response.cancel", "conversation.item.truncate"]


async def test_an_endpoint_that_cannot_truncate_costs_nothing(tmp_path: Path) -> None:
    """Its error is logged, and the session has still answered all that it was asked for."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(ANSWER_MS), WORDS)
        await anyio.sleep(0.1)
        await barge_in(peer)
        event = await peer.until("conversation.item.truncate")
        error = {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "no",
            "event_id": event["event_id"],
        }
        await peer.send({"type": "error", "error": error})
        await speak(peer, ramp(100), "next", number=2)
        await obey(peer)

    async with heard([wav(tmp_path / "o.wav")], script) as each:
        await reached(lambda: each.session.state.conversation.get("item_2"))
        assert each.session.first_unanswered is None
        item = each.session.state.conversation.by_id["item_1"]
        assert item.heard_ms
        assert item.heard_ms < ANSWER_MS


async def test_an_answer_of_a_lost_connection_is_replaced_by_what_was_heard(tmp_path: Path) -> None:
    """The next connection knows it as text, which cannot be truncated: what was heard takes its place."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await speak(peer, ramp(ANSWER_MS), WORDS)
        await anyio.sleep(0.05)

    async def second(peer: Peer) -> None:
        await peer.greet()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, peer)
            await reached(lambda: sent(peer, "conversation.item.create"))
            await anyio.sleep(0.2)
            await barge_in(peer)

    async with heard([wav(tmp_path / "o.wav"), transcript(tmp_path / "t")], first, second) as each:
        await moved(each.session, 2)
        await reached(lambda: len(each.peers) > 1 and sent(each.peers[1], "conversation.item.delete"))
        await reached(lambda: [item.id != "item_1" for item in each.session.state.conversation.items] == [True])
        (item,) = each.session.state.conversation.items
    whole, anew = (each["item"]["content"][0]["text"] for each in sent(each.peers[1], "conversation.item.create"))

    assert whole == WORDS
    assert WORDS.startswith(anew)
    assert 0 < len(anew) < len(WORDS)
    assert item.text == anew == json.loads((tmp_path / "t").read_text())["text"]
    assert not sent(each.peers[1], "conversation.item.truncate")


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_a_connection_is_not_replaced_while_an_answer_is_heard(tmp_path: Path) -> None:
    """The next connection would know the answer as text only."""
    heard_until: list[float] = []

    async def first(peer: Peer) -> None:
        await peer.greet()
        heard_until.append(anyio.current_time() + 1.2)
        await speak(peer, ramp(1200), WORDS)
        await obey(peer)

    async def second(peer: Peer) -> None:
        await peer.greet()
        await obey(peer)

    rollover = {"max_age_s": 1.6}
    async with heard([wav(tmp_path / "o.wav")], first, second, rollover=rollover) as each:
        await moved(each.session, 2)
        assert anyio.current_time() >= heard_until[0]
