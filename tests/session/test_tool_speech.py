"""Tools in a session that speaks: a word while they take long, and what an interruption stops."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.protocol.effects import AudioDelta, ResponseEnded, ResponseStarted
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.profile import Profile
from runner.task_groups import body_task_group
from tests.helpers.endpoint_scripts import asked, reached
from tests.helpers.local_client import said, silence
from tests.helpers.peer import Peer
from tests.helpers.spoken_session import barge_in, heard, obey, ramp, sent, speak, wav
from tests.helpers.virtual_time import in_steps, virtual_time

SCRIPT = [
    {"match": "order (\\d+)", "calls": [{"name": "order", "arguments": {"number": "\\1"}}]},
    {"instructions": "looking it up", "reply": "One moment."},
]
PIECE_MS = 100


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [virtual_time("trio")], ids=["virtual-time"])
async def test_a_spoken_question_hears_a_word_and_then_the_answer() -> None:
    """The word comes after a second and a half of silence, and the answer when it is said: never both at once."""
    ends: list[tuple[str, float]] = []
    audio: dict[str, list[float]] = {}

    def read(update: Update) -> None:
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                audio.setdefault(effect.response_id, []).append(anyio.current_time())
            elif isinstance(effect, ResponseEnded):
                ends.append((effect.response_id, anyio.current_time()))

    tables: dict[str, Any] = {"endpoint": {"kind": "local", "script": SCRIPT}, "model": {"name": "gpt-realtime-2"}}
    profile = Profile.model_validate({"version": 1, **tables})
    async with in_steps(), open_session(profile, readers=[read]) as session:

        @session.tool
        async def order(number: str) -> str:
            await anyio.sleep(3)
            return f"{number} is shipped"

        question = silence(200) + said("Where is order 7?") + silence(700)
        size = 48 * PIECE_MS
        for start in range(0, len(question), size):
            await session.append_audio(question[start : start + size])
            await anyio.sleep(PIECE_MS / 1000)
        await session.wait_idle()
        turns = [each.text for each in session.state.conversation.items if each.role == "assistant"]

    (call, called_s), (word, _), (answer, _) = ends
    assert call not in audio
    assert 1.5 <= audio[word][0] - called_s <= 1.8
    assert audio[word][-1] < audio[answer][0]
    assert 3 <= audio[answer][0] - called_s <= 3.3
    assert turns == ["The function answered: 7 is shipped"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_heard", [True, False], ids=["over-the-words", "into-the-silence"])
async def test_who_speaks_over_what_is_heard_of_a_turn_ends_it(is_heard: bool, tmp_path: Path) -> None:
    """Words over the response that calls end its turn; words into the silence are answered, and then the results."""
    is_running, release = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        if is_heard:
            await speak(peer, ramp(20_000), "I look it up.", end=False)
        else:
            await peer.send({"type": "response.created", "response": {"id": "resp_1", "conversation_id": "c"}})
        item = {"id": "item_call", "type": "function_call", "call_id": "call_1", "name": "order", "status": "completed"}
        done = {"id": "resp_1", "status": "completed", "output": [{**item, "arguments": "{}"}], "conversation_id": "c"}
        await peer.send({"type": "response.done", "response": done})
        await is_running.wait()
        await barge_in(peer)
        await peer.send({"type": "input_audio_buffer.speech_stopped", "item_id": "item_user", "audio_end_ms": 500})
        await peer.send({"type": "input_audio_buffer.committed", "item_id": "item_user"})
        await speak(peer, ramp(40), "Fine.", number=2)
        release.set()
        await obey(peer)

    async with (
        heard([wav(tmp_path / "a.wav")], script, tools={"say_after_ms": 60_000}) as there,
        body_task_group() as tasks,
    ):

        @there.session.tool
        async def order() -> str:
            is_running.set()
            await release.wait()
            return "shipped"

        updates: list[Update] = []
        there.session.carriage.add_reader(updates.append)
        tasks.start_soon(there.session.ask, "Where is it?")
        await reached(lambda: sent(there.peers[0], "conversation.item.create")[1:])
        if is_heard:
            await there.session.wait_idle()
        else:
            await reached(lambda: sent(there.peers[0], "response.create")[1:])
        requests = sent(there.peers[0], "response.create")

    outputs = [each["item"]["output"] for each in sent(there.peers[0], "conversation.item.create")[1:]]
    assert outputs == ["shipped"]
    assert len(requests) == (1 if is_heard else 2)
    begun = [each for update in updates for each in update.effects if isinstance(each, ResponseStarted)]
    assert len(begun) == 2
