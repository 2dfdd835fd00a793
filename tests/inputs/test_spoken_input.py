"""What a microphone hears reaches the session; the device itself is played by the test."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import pytest

from runner.inputs.microphone import Microphone
from runner.inputs.push_to_talk import PushToTalk
from runner.inputs.session_input import EmptyInput
from runner.inputs.spoken_input import SpokenInput
from runner.settings.input import MicrophoneInput
from runner.standard_streams import STDERR
from runner.terminal.screen import Screen
from tests.helpers.endpoint_scripts import reached
from tests.helpers.hearing_peers import (
    RATE,
    TURN_DETECTION,
    PlayedAnswers,
    all_ears,
    at_once,
    confirming,
    detecting,
    heard,
    others,
    session_with,
    tone,
)

pytestmark = pytest.mark.anyio


class Device:
    """A microphone that hears the same piece a few times, and is then silent for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, piece: bytes, times: int) -> None:
        self.is_open = False
        self.rates: list[int] = []

        async def pieces(device: Microphone, rate: int) -> AsyncGenerator[bytes, None]:
            del device
            self.rates.append(rate)
            self.is_open = True
            try:
                for _ in range(times):
                    yield piece
                await anyio.sleep_forever()
            finally:
                self.is_open = False

        monkeypatch.setattr(Microphone, "pieces", pieces)


def spoken(screen: Screen | None = None, **settings: Any) -> SpokenInput:
    """A microphone as the input of a run."""
    return SpokenInput(MicrophoneInput.model_validate({"kind": "microphone", **settings}), screen)


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A terminal that nothing is drawn on yet."""
    it = Screen(STDERR, "keys")
    yield it
    it.keyboard.close()


async def test_what_the_microphone_hears_is_sent_and_the_turn_is_ended_where_the_run_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device records at the session's rate, and is closed; Ctrl-C has no answer to stop."""
    pcm = tone(0.02)
    device = Device(monkeypatch, pcm, 5)
    source = spoken()
    async with session_with(detecting(silence_s=60), audio=TURN_DETECTION) as (session, peers):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            await reached(lambda: len(heard(peers[0])) == len(pcm) * 5 and session.state.is_hearing_speech)
            is_open = device.is_open
            tasks.cancel_scope.cancel()
        await session.wait_idle()

    assert (device.rates, is_open, device.is_open) == ([RATE], True, False)
    assert heard(peers[0]) == pcm * 5
    assert others(peers[0]) == ["input_audio_buffer.commit"]
    assert not source.can_interrupt


async def test_a_microphone_is_muted_while_an_answer_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of the same length takes the place of what it hears."""
    Device(monkeypatch, tone(0.02), 3)
    played = PlayedAnswers()
    played.is_playing = True
    async with session_with(all_ears) as (session, peers), anyio.create_task_group() as tasks:
        tasks.start_soon(spoken(mute_while_playing=True).feed, session, at_once, played)
        await reached(lambda: len(heard(peers[0])) >= 3 * len(tone(0.02)))
        tasks.cancel_scope.cancel()

    assert heard(peers[0]) == bytes(3 * len(tone(0.02)))


async def test_with_push_to_talk_the_user_leaves_and_may_stop_an_answer(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    """What the microphone hears goes to the keys' turns, and their end is the user's."""
    Device(monkeypatch, tone(0.02), 3)
    pieces_taken: list[bytes] = []

    async def run(_: PushToTalk, pieces: AsyncGenerator[bytes, None]) -> None:
        pieces_taken.append(await anext(pieces))

    monkeypatch.setattr(PushToTalk, "run", run)
    source = spoken(screen, push_to_talk=True)
    async with session_with(confirming) as (session, _):
        assert await source.feed(session, at_once, None) == "user-left"

    assert pieces_taken == [tone(0.02)]
    assert source.answer_stop is not None


async def test_at_a_terminal_keys_mute_the_microphone_and_leave(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    """The live line says what goes on and what the keys do; the turn in whose middle one leaves counts."""
    Device(monkeypatch, tone(0.02), 5)
    source = spoken(screen)
    async with session_with(detecting(silence_s=60), audio=TURN_DETECTION) as (session, peers):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            await reached(lambda: session.state.is_hearing_speech)
            lines = [source.live_line("hearing")]
            for key in ("m", "x", "m", "q"):
                screen.keyboard.put(key)
                await reached(lambda: not screen.keyboard.waiting)
                await anyio.wait_all_tasks_blocked()
                lines.append(source.live_line(""))
        await session.wait_idle()

    assert lines[0].startswith("hearing    ▮")
    assert [each.split(maxsplit=1)[0] for each in lines[1:]] == ["muted", "muted", "listening", "listening"]
    assert ("m: unmute, q: leave" in lines[1], "m: mute, q: leave" in lines[3]) == (True, True)
    assert others(peers[0]) == ["input_audio_buffer.commit"]


async def test_no_input_lasts_until_it_is_cancelled() -> None:
    """Something else ends the session."""
    async with session_with(all_ears) as (session, _):
        with anyio.move_on_after(0.02) as scope:
            await EmptyInput().feed(session, at_once, None)

    assert scope.cancelled_caught


async def test_a_stopped_microphone_is_closed_and_a_muted_one_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in mid-turn, the turn is committed; started, the device is opened anew; muted, silence is heard."""
    pcm, opened = tone(0.02), []

    async def pieces(_device: Microphone, _rate: int) -> AsyncGenerator[bytes, None]:
        opened.append(True)
        try:
            while True:
                yield pcm
                await anyio.sleep(0.001)
        finally:
            opened.append(False)

    monkeypatch.setattr(Microphone, "pieces", pieces)
    source = spoken()
    assert source.switch is not None
    async with session_with(detecting(silence_s=60), audio=TURN_DETECTION) as (session, peers):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            await reached(lambda: session.state.is_hearing_speech)
            source.switch.stop()
            await reached(lambda: opened == [True, False] and others(peers[0]))
            heard_before = len(heard(peers[0]))
            source.switch.mute()
            source.switch.start()
            await reached(lambda: len(heard(peers[0])) > heard_before + len(pcm))
            muted = heard(peers[0])[heard_before:]
            source.switch.unmute()
            await reached(lambda: pcm in heard(peers[0])[heard_before:])
            tasks.cancel_scope.cancel()
        await session.wait_idle()

    assert others(peers[0])[0] == "input_audio_buffer.commit"
    assert not any(muted)
    assert opened == [True, False, True, False]
    assert spoken(push_to_talk=True).switch is None
