"""Where nobody is heard the agent asks, says good-bye and hangs up: at the stated times, and never into anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import IllegalEvent
from runner.protocol.word_for_word import recited
from runner.session import idle_watch
from runner.session.opening import open_session
from runner.session.session import Session
from tests.helpers.endpoint_scripts import confirm, persistent, reached
from tests.helpers.peer import Peer, serving
from tests.helpers.spoken_session import heard, ramp, speak, wav
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio
TEXTS = ["Are you still there?", "Hello?"]
GOODBYE = "Goodbye."
ANSWER_S = 2.0


@pytest.fixture
def anyio_backend() -> Backend:
    """Virtual time: only time passes here."""
    return virtual_time("trio")


class Call:
    """An endpoint that answers after a while, and the times at which it was asked to say what."""

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []
        self.peer: Peer
        self.session: Session
        self._began_s = 0.0

    async def script(self, peer: Peer) -> None:
        """Greet, confirm everything, and say what is asked for, which takes time."""
        self.peer = peer
        await peer.greet()
        self._began_s = anyio.current_time()
        while (event := await peer.event()) is not None:
            if event["type"] == "response.create":
                response = event.get("response", {})
                text = recited(response.get("instructions", "")) or "An answer."
                self.said.append((round(anyio.current_time() - self._began_s), text))
                assert response.get("input", []) == []
                name = f"{len(self.said)}"
                await peer.answer(text, response_id=f"resp_{name}", item_id=f"item_{name}", end=False)
                await anyio.sleep(ANSWER_S)
                await peer.end(text, response_id=f"resp_{name}", item_id=f"item_{name}")
            else:
                await confirm(peer, event)

    async def at(self, moment_s: float) -> None:
        """Wait until so long after the beginning."""
        await anyio.sleep(self._began_s + moment_s - anyio.current_time())

    async def speak(self, duration_s: float) -> None:
        """The user speaks, as turn detection hears it."""
        turn = {"item_id": f"item_user_{len(self.said)}"}
        await self.peer.send({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **turn})
        await anyio.sleep(duration_s)
        await self.peer.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 100, **turn})
        await self.peer.send({"type": "input_audio_buffer.committed", "previous_item_id": None, **turn})


@asynccontextmanager
async def calling(**idle: Any) -> AsyncIterator[Call]:
    """A call with an idle user; its turn detection asks for no answers, which would only take time."""
    call = Call()
    audio = {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}
    settings = {"after_s": 20, "texts": TEXTS, "goodbye": GOODBYE, **idle}
    with anyio.fail_after(600):
        async with (
            serving(call.script) as (port, _),
            open_session(persistent(port, idle=settings, session={"audio": audio})) as session,
        ):
            call.session = session
            yield call


async def test_check_ins_and_good_bye_come_at_the_stated_times() -> None:
    """Each after so much silence since the last was said; then the session is closed, and takes no more."""
    async with calling() as call:
        await call.session.wait_over()
        assert call.session.failure is None
        with pytest.raises(IllegalEvent):
            await call.session.say("Too late")

    assert call.said == [(20, TEXTS[0]), (42, TEXTS[1]), (64, GOODBYE)]


async def test_who_is_heard_is_not_idle() -> None:
    """Silence counts from the end of what either side says; who speaks into the good-bye has it begin anew."""
    async with calling() as call:
        await call.at(15)
        await call.speak(10)
        await call.at(50)
        await call.session.ask("Is it raining?")
        await call.at(117)
        await call.speak(1)
        await call.session.wait_over()

    assert call.said == [
        (45, TEXTS[0]),
        (50, "An answer."),
        (72, TEXTS[0]),
        (94, TEXTS[1]),
        (116, GOODBYE),
        (138, TEXTS[0]),
        (160, TEXTS[1]),
        (182, GOODBYE),
    ]


@pytest.mark.parametrize(("answered_s", "said_s"), [(60, 70), (None, idle_watch._ANSWERED_S + 10)])
async def test_nobody_is_idle_while_a_tool_runs(answered_s: float | None, said_s: float) -> None:
    """From the call to its output, and the answer to that; a call that nothing answers keeps no session for ever."""
    async with calling(texts=[], after_s=10) as call:
        item = {"type": "function_call", "id": "item_call", "call_id": "c1", "name": "look_up", "arguments": "{}"}
        done = {"id": "resp_call", "status": "completed", "output": [{**item, "status": "completed"}]}
        await call.peer.send({"type": "response.created", "response": {"id": "resp_call", "conversation_id": "c"}})
        await call.peer.send({"type": "response.done", "response": {**done, "conversation_id": "c"}})
        if answered_s:
            await call.at(answered_s)
            assert not call.said
            output = {"type": "function_call_output", "call_id": "c1", "output": "found"}
            await call.session.send({"type": "conversation.item.create", "item": output})
        await call.session.wait_over()

    assert call.said == [(said_s, GOODBYE)]


async def test_an_idle_timeout_of_the_endpoint_is_one_of_the_check_ins() -> None:
    """It comes sooner than ours; after as many as there are texts good-bye follows, and nothing is said twice."""
    async with calling(after_s=20) as call:
        for number in range(3):
            await call.at(10 * number + 6)
            silence = {"item_id": f"item_silence_{number}"}
            times = {"audio_start_ms": 0, "audio_end_ms": 6000}
            await call.peer.send({"type": "input_audio_buffer.timeout_triggered", **times, **silence})
            await call.peer.send({"type": "input_audio_buffer.committed", "previous_item_id": None, **silence})
            await call.peer.answer("Anybody?", response_id=f"resp_own_{number}", item_id=f"item_own_{number}")
        await call.session.wait_over()

    assert call.said == [(26, GOODBYE)]


async def test_without_texts_the_session_just_ends() -> None:
    """No good-bye is said that nobody has written."""
    async with calling(texts=[], goodbye=None) as call:
        await call.session.wait_over()

    assert call.said == []


async def test_silence_begins_when_an_answer_was_heard_and_not_when_it_came(tmp_path: Path) -> None:
    """An answer of five seconds comes at once; the question whether somebody is there waits for its end."""
    asked_s: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        began_s = anyio.current_time()
        await speak(peer, ramp(5000), "A long answer.")
        await peer.until("response.create")
        asked_s.append(anyio.current_time() - began_s)
        await peer.to_the_end()

    async with heard([wav(tmp_path / "heard.wav")], script, idle={"after_s": 3, "texts": TEXTS}):
        await reached(lambda: asked_s)
    assert asked_s == [pytest.approx(8, abs=0.5)]
