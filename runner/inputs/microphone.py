"""A microphone: the samples that it records, as they come, until the device disappears."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from runner import logs
from runner.audio.portaudio import PORTAUDIO, AudioDevice, find, portaudio
from runner.audio.resampling import Resampler
from runner.errors import InputError
from runner.inputs.stdin import read_chunk

if TYPE_CHECKING:
    from runner.settings.input import MicrophoneInput

_BLOCKS_A_SECOND: Final = 50
_FIRST_SOUND_S = 5.0
"""How long a device may take to bring its first samples, in seconds."""
_SILENT_S = 1.0
"""A device that brings no samples for so long has gone, in seconds; a quiet room gives zeros."""
_ATTEMPTS: Final = 5
"""How often another device is tried in place of one that disappeared."""
_BETWEEN_ATTEMPTS_S = 1.0
_CLOSE_S = 1.0
"""How long a device may take to close, in seconds."""


class Microphone:
    """An audio device that records; samples wait in a pipe, which holds about a second, and are lost when it is full.

    Args:
        settings: Which device, and what to do when it disappears.
    """

    def __init__(self, settings: MicrophoneInput) -> None:
        self._settings = settings
        self._device: AudioDevice | None = None
        self._stream: _OpenDevice | None = None
        self._is_over = False

    async def open(self, rate: int) -> None:
        """Check that the device exists and can record, without starting it.

        Args:
            rate: The samples a second that are wanted.

        Raises:
            InputError: The device does not exist, or cannot record.
            ProfileError: A library is not installed.
        """
        await _in_thread(self._check, rate)

    async def pieces(self, rate: int) -> AsyncGenerator[bytes, None]:
        """What the device records from now on, as 16-bit samples of one channel, without end.

        Args:
            rate: Samples a second.

        Raises:
            InputError: the device disappeared.
        """
        self._is_over = False
        try:
            self._stream = await _in_thread(self._start, rate)
            while True:
                async with aclosing(self._stream.pieces()) as pieces:
                    async for piece in pieces:
                        yield piece
                await self._replace(rate)
        finally:
            self._is_over = True
            await self._leave()

    @property
    def name(self) -> str:
        """What messages call the device."""
        return f"the microphone {self._device.name!r}" if self._device else "the microphone"

    def _check(self, rate: int) -> None:
        self._device = find(self._settings.device, "input")
        Resampler(_possible_rate(self._device, rate), rate)

    def _start(self, rate: int) -> _OpenDevice:
        self._device = self._device or find(None, "input")
        stream = _OpenDevice(self._device, rate)
        if self._is_over:
            # The task that asked for it was cancelled meanwhile.
            stream.close()
        return stream

    async def _replace(self, rate: int) -> None:
        """Continue with the system's default device where the profile says so."""
        msg = f"{self.name} disappeared"
        await self._leave()
        if self._settings.on_device_lost == "fail":
            raise InputError(msg, hint='`input.on_device_lost = "default"` goes on with the system\'s default device')
        logs.logger().warning("microphone_lost", device=self.name)
        for attempt in range(_ATTEMPTS):
            await anyio.sleep(_BETWEEN_ATTEMPTS_S if attempt else 0)
            self._device = None
            with suppress(InputError):
                self._stream = await _in_thread(self._start, rate)
                logs.logger().info("microphone_replaced", device=self.name)
                return
        raise InputError(f"{msg}, and the system's default device cannot be listened to")

    async def _leave(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        # A device that has disappeared may hang as it closes, and that must not block the end of the run.
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await _in_thread(stream.close)
        if stream.overflows:
            logs.logger().warning("microphone_overflowed", device=self.name, times=stream.overflows)


class _OpenDevice:
    """A device while it records. Its thread must never wait, so it writes into a pipe that does not block."""

    def __init__(self, device: AudioDevice, rate: int) -> None:
        sounddevice = portaudio()
        own_rate = _possible_rate(device, rate)
        self.overflows = 0
        self._resampler = Resampler(own_rate, rate)
        self._receiving, self._sending = os.pipe()
        os.set_blocking(self._sending, False)
        try:
            with PORTAUDIO:
                self._stream = sounddevice.RawInputStream(
                    samplerate=own_rate,
                    blocksize=own_rate // _BLOCKS_A_SECOND,
                    device=device.number,
                    channels=1,
                    dtype="int16",
                    callback=self._take,
                    finished_callback=self._end,
                )
                self._stream.start()
        except sounddevice.PortAudioError as error:
            self._end()
            os.close(self._receiving)
            raise _refused(device, error) from None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The recorded samples; ends when the device does."""
        patience_s = _FIRST_SOUND_S
        while True:
            piece = b""
            with anyio.move_on_after(patience_s):
                piece = await read_chunk(self._receiving)
            if not piece:
                return
            patience_s = _SILENT_S
            if converted := self._resampler.convert(piece):
                yield converted

    def close(self) -> None:
        """Stop recording."""
        with PORTAUDIO:
            self._stream.close(ignore_errors=True)
        self._end()
        os.close(self._receiving)

    def _take(self, audio: Any, _frames: int, _time: Any, status: Any) -> None:
        lost = bool(status.input_overflow)
        try:
            lost = os.write(self._sending, audio) < len(audio) or lost
        except BlockingIOError:
            lost = True
        self.overflows += lost

    def _end(self) -> None:
        """End the pipe; the device's thread calls it after the last block."""
        sending, self._sending = self._sending, -1
        if sending >= 0:
            os.close(sending)


def _possible_rate(device: AudioDevice, rate: int) -> int:
    """The wanted rate where the device takes it, else its own."""
    sounddevice = portaudio()
    problem: Exception | None = None
    for each in dict.fromkeys((rate, device.rate)):
        try:
            with PORTAUDIO:
                sounddevice.check_input_settings(device=device.number, channels=1, dtype="int16", samplerate=each)
        except sounddevice.PortAudioError as error:
            problem = error
        else:
            return each
    raise _refused(device, problem)


def _refused(device: AudioDevice, error: Exception | None) -> InputError:
    reason = str(error.args[0] if error and error.args else error).partition(" [")[0]
    return InputError(
        f"the microphone {device.name!r} cannot be listened to: {reason}", hint="`rt-run devices` lists what there is"
    )


async def _in_thread(call: Any, *arguments: Any) -> Any:
    # PortAudio may hang with its device.
    return await anyio.to_thread.run_sync(
        partial(call, *arguments), abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
    )
