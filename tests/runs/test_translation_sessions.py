"""A translation against an endpoint on a real socket: no word is lost at its end, and nothing is said again."""

import base64
import json
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from runner.api.client_events import SessionClose
from runner.errors import EndpointUnreachable, IllegalEvent, ProtocolError
from runner.protocol.effects import AudioDelta, TextDelta, TurnEnded
from runner.session import session_close
from runner.session.update import Update
from tests.helpers.command_process import Command, Ended, profile
from tests.helpers.endpoint_scripts import kinds, logged, moved, reached, session_with
from tests.helpers.peer import Peer, Script, serving

pytestmark = pytest.mark.anyio

APPEND, CLOSE = "session.input_audio_buffer.append", "session.close"
TRANSLATION: dict[str, Any] = {"type": "translation", "audio": {"output": {"language": "de"}}}
AUDIO = bytes(range(200)) * 24


async def greet(peer: Peer, **session: Any) -> None:
    """Open and configure a translation."""
    table = {"id": "sess_test", "type": "translation", "model": "test", "audio": {}, **session}
    await peer.send({"type": "session.created", "event_id": "e", "session": table})
    update = await peer.until("session.update")
    await peer.send({"type": "session.updated", "event_id": "e", "session": {**table, **update["session"]}})


async def translate(peer: Peer, heard: str, spoken: str) -> None:
    """Say a piece of both sides, with the voice."""
    await peer.send({"type": "session.input_transcript.delta", "event_id": "e", "delta": heard})
    await peer.send({"type": "session.output_transcript.delta", "event_id": "e", "delta": spoken})
    await peer.send({"type": "session.output_audio.delta", "event_id": "e", "delta": base64.b64encode(AUDIO).decode()})


async def interpreter(peer: Peer, *, late_s: float = 0.05) -> None:
    """Translate the first piece of audio at once, and the rest some time after `session.close`."""
    await greet(peer)
    await peer.until(APPEND)
    await translate(peer, "Good", "Gu")
    await peer.until(CLOSE)
    await anyio.sleep(late_s)
    await translate(peer, " day", "ten Tag")
    await peer.send({"type": "session.closed", "event_id": "e"})
    await peer.close(1000)
    await peer.to_the_end()


class Words:
    """What a reader hears."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, str, str]] = []
        self.text = ""
        self.audio = b""

    def read(self, update: Update) -> None:
        """A reader of the pump."""
        for effect in update.effects:
            match effect:
                case TurnEnded(role=role, text=text, status=status):
                    self.turns.append((role, text, status))
                case TextDelta(text=text):
                    self.text += text
                case AudioDelta():
                    self.audio += effect.decode()
                case _:
                    pass


async def test_the_last_words_come_before_the_farewell() -> None:
    """The end of the session asks for them, waits, and only then closes the connection."""
    words = Words()
    async with session_with(interpreter, readers=[words.read], session=TRANSLATION) as (session, peers, lines):
        await session.append_audio(AUDIO)
        await session.wait_idle()
    update, append, close = peers[0].received

    assert update["session"] == {"audio": {"output": {"language": "de"}}}
    assert (append["type"], base64.b64decode(append["audio"])) == (APPEND, AUDIO)
    assert close["type"] == CLOSE
    assert peers[0].close_code == 1000
    assert words.turns == [("user", "Good day", "completed"), ("assistant", "Guten Tag", "completed")]
    assert words.text == "Guten Tag"
    assert words.audio == AUDIO * 2
    assert session.failure is None
    assert not logged(lines, "connection_lost")


async def test_whoever_asks_for_the_end_gets_it() -> None:
    """A typed event does what the end of the session does, and the events end without an error."""
    async with session_with(interpreter, session=TRANSLATION) as (session, peers, _):
        events = session.events()
        await session.send({"type": "input_audio_buffer.append", "audio": "AAAA"})
        await session.send(SessionClose())
        types = [event["type"] async for event in events]
        await session.wait_idle()
        assert session.is_over
        assert session.failure is None
        with pytest.raises(IllegalEvent, match="the session is closed"):
            await session.append_audio(AUDIO)

    assert types[-1] == "session.closed"
    assert kinds(peers[0]) == ["session.update", APPEND, CLOSE]
    assert len(peers) == 1


async def test_an_end_that_nobody_asked_for_is_a_lost_connection() -> None:
    """The next one is told nothing of what was said."""

    async def ending(peer: Peer) -> None:
        await greet(peer)
        await translate(peer, "Good", "Gu")
        await peer.send({"type": "session.closed", "event_id": "e"})
        await peer.to_the_end()

    words = Words()
    async with session_with(ending, interpreter, readers=[words.read], session=TRANSLATION) as (session, peers, lines):
        await moved(session, 2)
        await session.update(audio={"output": {"language": "fr"}})
        await session.append_audio(AUDIO)
        await reached(lambda: words.text == "GuGu")

    assert [each["error"] for each in logged(lines, "connection_lost")] == ["the endpoint closed the session"]
    assert kinds(peers[1]) == ["session.update", "session.update", APPEND, CLOSE]
    assert peers[1].received[1]["session"] == {"audio": {"output": {"language": "fr"}}}
    assert [each[1] for each in words.turns] == ["Good", "Gu", "Good day", "Guten Tag"]


async def test_without_another_connection_it_is_the_sessions_end() -> None:
    """An end of the endpoint's own is an error, as in every other session."""

    async def ending(peer: Peer) -> None:
        await greet(peer)
        await peer.send({"type": "session.closed", "event_id": "e"})
        await peer.to_the_end()

    async with session_with(ending, session=TRANSLATION, reconnect={"max_attempts": 0}) as (session, _, _):
        await session.wait_over()
        with pytest.raises(EndpointUnreachable, match="the endpoint closed the session"):
            await session.wait_idle()


async def test_a_connection_that_is_replaced_says_its_last_words() -> None:
    """What was said to it nobody else will interpret."""

    async def thoughtful(peer: Peer) -> None:
        await interpreter(peer, late_s=2.2)

    async def quiet(peer: Peer) -> None:
        await greet(peer)
        await peer.until(CLOSE)
        await peer.send({"type": "session.closed", "event_id": "e"})
        await peer.to_the_end()

    words = Words()
    run = {"session": TRANSLATION, "rollover": {"max_age_s": 1.0}}
    async with session_with(thoughtful, quiet, readers=[words.read], **run) as (session, peers, lines):  # type: ignore[arg-type]  # tables of a profile
        await session.append_audio(AUDIO)
        await moved(session, 2)
        await peers[0].closed.wait()
        # It takes its time, which is a pause.
        assert [each[1:] for each in words.turns] == [(each, "completed") for each in ("Good", "Gu", "day", "ten Tag")]
        assert not logged(lines, "connection_lost")

    assert kinds(peers[0]) == ["session.update", APPEND, CLOSE]
    assert session.failure is None


async def test_an_endpoint_that_never_says_its_last_words_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence has a bound, and so has an endpoint that never stops."""

    async def silent(peer: Peer) -> None:
        await greet(peer)
        await translate(peer, "Good", "Gu")
        await peer.to_the_end()

    async def endless(peer: Peer) -> None:
        await greet(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sing, peer)
            await peer.to_the_end()

    async def sing(peer: Peer) -> None:
        with suppress(anyio.ClosedResourceError):
            while peer.close_code is None:
                await translate(peer, "la ", "la ")
                await anyio.sleep(0.01)

    for script, name, bound_s in ((silent, "SILENCE_S", 0.1), (endless, "MOST_S", 0.3)):
        monkeypatch.setattr(session_close, name, bound_s)
        words = Words()
        async with session_with(script, readers=[words.read], session=TRANSLATION) as (session, _, lines):
            started_s = anyio.current_time()
            await session.aclose()
            assert anyio.current_time() - started_s < bound_s + 2
        assert len(logged(lines, "last_words_missing")) == 1
        assert words.turns[-1][2] == "incomplete"
        monkeypatch.undo()


async def test_last_words_that_never_come_count_as_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the end of a translation is owed it."""

    async def silent(peer: Peer) -> None:
        await greet(peer)
        await peer.to_the_end()

    monkeypatch.setattr(session_close, "SILENCE_S", 0.1)
    async with session_with(silent, session=TRANSLATION) as (session, _, _):
        await session.conclude()
        assert isinstance(session.first_unanswered, ProtocolError)


async def test_a_translation_takes_no_questions() -> None:
    """Nothing of them goes out, and the session lives on."""
    async with session_with(interpreter, session=TRANSLATION) as (session, peers, _):
        with pytest.raises(IllegalEvent, match="a translation has no such event"):
            await session.say("Hello?")
        with pytest.raises(IllegalEvent, match="a translation has no such event"):
            await session.respond()
        await session.append_audio(AUDIO)

    assert kinds(peers[0]) == ["session.update", APPEND, CLOSE]


PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[session]
type = "translation"
[input]
kind = "stdin"
format = "events"
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
[journal]
path = "journal.jsonl"
[run]
grace_s = 1
[run.reconnect]
max_attempts = 0
"""
SAID = json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA"}) + "\n"


async def run(folder: Path, script: Script, drive: Callable[[Command], Ended]) -> tuple[Ended, list[Peer]]:
    """The command with a translation, driven in a thread."""
    async with serving(script) as (port, peers):
        command = Command("--profile", profile(folder, PROFILE.format(port=port)), folder=folder)
        return await anyio.to_thread.run_sync(drive, command), peers


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("asks", [False, True], ids=["end of input", "asked for"])
async def test_a_run_writes_every_word(tmp_path: Path, asks: bool) -> None:
    """On standard output the translation, in the transcript both sides; the end of input is a success."""

    def drive(command: Command) -> Ended:
        command.write(SAID)
        if asks:
            command.write(json.dumps({"type": CLOSE}) + "\n")
        return command.end()

    ended, peers = await run(tmp_path, interpreter, drive)
    turns = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    journal = [json.loads(line)["event"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()]

    assert (ended.code, ended.stdout) == (0, "Guten Tag\n")
    assert [(each["role"], each["text"]) for each in turns] == [("user", "Good day"), ("assistant", "Guten Tag")]
    assert kinds(peers[0]) == ["session.update", APPEND, CLOSE]
    assert peers[0].close_code == 1000
    assert "session.closed" in [each["type"] for each in journal]
    (append,) = (each for each in journal if each["type"] == APPEND)
    assert append["audio"]["bytes"] == 3


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_connection_that_is_lost_before_the_last_words_is_a_failure(tmp_path: Path) -> None:
    """What was said is kept, and the exit code says that it is not all."""

    async def lost(peer: Peer) -> None:
        await greet(peer)
        await peer.until(APPEND)
        await translate(peer, "Good", "Gu")
        await peer.until(CLOSE)
        await peer.stream.aclose()

    def drive(command: Command) -> Ended:
        command.write(SAID)
        return command.end()

    ended, _ = await run(tmp_path, lost, drive)
    turns = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]

    assert (ended.code, ended.stdout) == (69, "Gu\n")
    assert [each["status"] for each in turns] == ["incomplete", "incomplete"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_signal_leaves_the_last_words_the_grace_period(tmp_path: Path) -> None:
    """An endpoint that has none costs no more than that, and what was said is kept."""

    async def silent(peer: Peer) -> None:
        await greet(peer)
        await peer.until(APPEND)
        await translate(peer, "Good", "Gu")
        await peer.to_the_end()

    def drive(command: Command) -> Ended:
        command.write(SAID)
        begun = command.read(2)
        command.send_signal(signal.SIGTERM)
        ended = command.end()
        ended.stdout = begun + ended.stdout
        return ended

    ended, peers = await run(tmp_path, silent, drive)

    assert (ended.code, ended.stdout) == (0, "Gu\n")
    assert kinds(peers[0])[-1] == CLOSE
    assert peers[0].close_code == 1000
