"""A loudspeaker: it opens when the first audio has come, is watched, and falls silent at once when it is stopped."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from runner import logs
from runner.audio.portaudio import PORTAUDIO, AudioDevice, find, portaudio
from runner.errors import OutputError, RunnerError
from runner.outputs.jitter_buffer import JitterBuffer
from runner.outputs.session_output import DevicePlayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.audio.playout import Heard
    from runner.outputs.session_output import Fail, Piece
    from runner.settings.output import SpeakerOutput

BLOCK_MS = 20
"""How much the device takes at once, in milliseconds."""

LOST_AFTER_S = 1.0
"""A device that takes nothing for so long, although something waits, is lost."""

_MAX_REOPENINGS = 3
"""How often in a row the default device is tried in vain."""

_REOPEN_S = 0.5
"""How long to wait before it is tried again, in seconds."""

_LOOK_S = 0.1
_CLOSE_S = 2.0
_OPEN_S = 5.0
_MOST_LATENCY_S = 2.0


class Speaker(DevicePlayer):
    """Plays the answers of a session, and knows what of them was heard.

    The device takes blocks of 20 ms in a thread of its own. What it was handed is heard its latency later, which it
    reports; so `heard_ms` is right to the block, and once stopped it counts all that was handed over, because that can
    no longer be taken back.

    Args:
        output: The profile's settings.
        rate: Samples a second of the answers that the session asks for.
        fail: Called once with what goes wrong later.

    Raises:
        OutputError: there is no such device.
        ProfileError: the library that drives devices is not installed.
    """

    def __init__(self, output: SpeakerOutput, rate: int, fail: Fail) -> None:
        self._output = output
        self._fail = fail
        self._library = portaudio()
        device = find(output.device, "output")
        self._device: int | None = device.number
        self.name = f"the speaker {device.name!r}"
        self._rates = self._possible_rates(device, rate)
        self._buffer: JitterBuffer | None = None
        self._wanted = anyio.Event()
        self._closed = anyio.Event()
        self._finished = anyio.Event()
        self._has_failed = False
        self.is_silent = False
        self._underflows = 0

    def play(self, piece: Piece) -> None:
        """Play a piece of an answer after all that came before."""
        if self._has_failed or self._closed.is_set():
            return
        if self._buffer is None:
            rate = piece.rate if piece.rate in self._rates else self._rates[-1]
            self._buffer = JitterBuffer(piece.rate, rate, self._output.buffer_ms)
            self._rates = [rate]
            self._wanted.set()
        self._buffer.put(piece.item_id, piece.pcm)
        if self._buffer.waiting_bytes > self._output.max_queue_bytes:
            msg = f"more than {self._output.max_queue_bytes} bytes wait to be played by {self.name}"
            self._give_up(OutputError(msg, hint="raise `max_queue_bytes`"))

    def cut(self, heard: Sequence[Heard]) -> None:
        """Drop what was not heard."""
        self.stop()

    def stop(self) -> None:
        """Be silent from the next block on."""
        if self._buffer:
            self._buffer.stop()

    def heard_ms(self, item_id: str) -> float:
        """How much of an item was heard, in milliseconds."""
        return self._buffer.heard_ms(item_id) if self._buffer else 0.0

    def forget(self, item_id: str) -> None:
        """Count what comes under this name anew."""
        if self._buffer:
            self._buffer.forget(item_id)

    @property
    def remaining_s(self) -> float:
        """How long what it has will still be heard, in seconds."""
        return self._buffer.remaining_s if self._buffer else 0.0

    def close(self) -> None:
        """Play nothing more."""
        self._closed.set()
        self._wanted.set()

    @property
    def is_finished(self) -> bool:
        """Whether `run` has ended."""
        return self._finished.is_set()

    async def finished(self) -> None:
        """Wait for the end of `run`."""
        await self._finished.wait()

    async def run(self) -> None:
        """Play until closed; what goes wrong is reported through `fail`."""
        try:
            await self._wanted.wait()
            if not self._closed.is_set():
                await self._keep_playing()
        except RunnerError as error:
            self._give_up(error)
        finally:
            self._finished.set()
            if self._buffer and (self._buffer.underruns or self._underflows):
                counts = {"waited_for_audio": self._buffer.underruns, "device_underflows": self._underflows}
                logs.logger().warning("speaker_interrupted", device=self.name, **counts)

    async def _keep_playing(self) -> None:
        await self._play_until_lost()
        failures = 0
        while not self._closed.is_set():
            if self._output.on_device_lost == "fail" or failures >= _MAX_REOPENINGS:
                msg = f"{self.name} disappeared"
                other = ', or use `on_device_lost = "default"`' if self._output.on_device_lost == "fail" else ""
                raise OutputError(msg, hint=f"plug it in again{other}")
            logs.logger().warning("speaker_lost", device=self.name, goes_on="the default device")
            self._device, self.name = None, "the default speaker"
            try:
                failures = 0 if await self._play_until_lost() else failures + 1
            except OutputError:
                # The device that takes its place may need a moment to appear.
                failures += 1
                await anyio.sleep(_REOPEN_S)

    async def _play_until_lost(self) -> bool:
        """Open the device and watch it; returns whether it has taken anything."""
        opened_s = monotonic()
        stream = await self._opened()
        try:
            await self._until_lost(stream)
        finally:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await anyio.to_thread.run_sync(partial(_close, stream), abandon_on_cancel=True)
        return self._buffer is not None and self._buffer.taken_s > opened_s

    async def _until_lost(self, stream: Any) -> None:
        opened_s = monotonic()
        while stream.active and not self._closed.is_set():
            waits = self._buffer is not None and self._buffer.waiting_bytes > 0
            taken_s = max(opened_s, self._buffer.taken_s if self._buffer else 0.0)
            if waits and monotonic() - taken_s > LOST_AFTER_S:
                return
            with anyio.move_on_after(_LOOK_S):
                await self._closed.wait()

    async def _opened(self) -> Any:
        """Open the device within a bounded time; PortAudio may hang with it, and its thread must not block another."""
        with anyio.move_on_after(_OPEN_S):
            return await anyio.to_thread.run_sync(self._open, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        msg = f"{self.name} could not be opened within {_OPEN_S:g} s"
        raise OutputError(msg, hint="`rt-run devices` lists what there is")

    def _open(self) -> Any:
        """Open the device and have it play; works in a thread."""
        rate = self._rates[0]
        settings: dict[str, Any] = {"samplerate": rate, "channels": 1, "dtype": "int16", "latency": "low"}
        try:
            with PORTAUDIO:
                stream = self._library.RawOutputStream(
                    device=self._device, blocksize=rate * BLOCK_MS // 1000, callback=self._play_block, **settings
                )
                stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            msg = f"{self.name} cannot be opened: {error}"
            raise OutputError(msg, hint="`rt-run devices` lists what there is") from None
        if self._has_failed or self._finished.is_set():
            # It was opened too late.
            _close(stream)
        return stream

    def _possible_rates(self, device: AudioDevice, rate: int) -> list[int]:
        """What the device can play, what is wanted first; raises `OutputError` where it can play nothing."""
        found, problem = [], ""
        for each in dict.fromkeys((rate, device.rate)):
            try:
                with PORTAUDIO:
                    self._library.check_output_settings(
                        device=device.number, channels=1, dtype="int16", samplerate=each
                    )
            except self._library.PortAudioError as error:
                problem = str(error)
            else:
                found.append(each)
        if not found:
            msg = f"{self.name} cannot be used: {problem}"
            raise OutputError(msg, hint="`rt-run devices` lists what there is")
        return found

    def _play_block(self, block: Any, _frames: int, time: Any, status: Any) -> None:
        """Fill a block; called in the device's thread."""
        latency_s = min(max(0.0, time.outputBufferDacTime - time.currentTime), _MOST_LATENCY_S)
        played = self._buffer.take(len(block), latency_s) if self._buffer else b""
        block[:] = bytes(len(block)) if self.is_silent or not played else played
        self._underflows += bool(status.output_underflow)

    def _give_up(self, error: RunnerError) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.stop()
            self._fail(error)


def _close(stream: Any) -> None:
    with PORTAUDIO:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
