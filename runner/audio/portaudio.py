"""The audio devices of this machine, as PortAudio names and numbers them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final, Literal

from runner.errors import InputError, OutputError, ProfileError
from runner.installation import install_command

DeviceDirection = Literal["input", "output"]

PORTAUDIO: Final = threading.Lock()
"""Held while streams are opened, started or closed: PortAudio does one of these at a time."""


@dataclass(frozen=True)
class AudioDevice:
    """One device."""

    number: int
    """Its number in PortAudio."""
    name: str
    """Its name in PortAudio."""
    inputs: int
    """Its channels of input."""
    outputs: int
    """Its channels of output."""
    rate: int
    """Its own samples a second."""
    is_default_input: bool
    """Whether it is the system's microphone."""
    is_default_output: bool
    """Whether it is the system's speaker."""

    def channels(self, direction: DeviceDirection) -> int:
        """How many channels it has in this direction."""
        return self.inputs if direction == "input" else self.outputs

    def is_default(self, direction: DeviceDirection) -> bool:
        """Whether it is the system's default in this direction."""
        return self.is_default_input if direction == "input" else self.is_default_output


def portaudio() -> Any:
    """The library's module; it may look for devices for a moment, so call it in a thread.

    Raises:
        ProfileError: It is not installed.
    """
    with PORTAUDIO:
        try:
            import sounddevice
        except ImportError:
            msg = "microphones and speakers need sounddevice"
            raise ProfileError(msg, hint=install_command("audio")) from None
        except OSError as error:
            msg = f"microphones and speakers need PortAudio, which cannot be used: {error}"
            raise ProfileError(msg, hint="install it, such as with: apt install libportaudio2") from None
        return sounddevice


def devices() -> list[AudioDevice]:
    """All devices that there are; raises `ProfileError` as `portaudio` does."""
    sounddevice = portaudio()
    default_input, default_output = sounddevice.default.device
    return [
        AudioDevice(
            number,
            str(each["name"]),
            int(each["max_input_channels"]),
            int(each["max_output_channels"]),
            round(each["default_samplerate"]),
            number == default_input,
            number == default_output,
        )
        for number, each in enumerate(sounddevice.query_devices())
    ]


def find(device: int | str | None, direction: DeviceDirection) -> AudioDevice:
    """The device that a profile means.

    Args:
        device: Its number, its name or a part of it, whatever the case; the system's default without.
        direction: Whether it has to record or to play.

    Raises:
        InputError: There is no such device, or there are several; an `OutputError` for an output.
        ProfileError: The library is not installed.
    """
    noun = "microphone" if direction == "input" else "speaker"
    able = [each for each in devices() if each.channels(direction)]
    if device is None:
        found = [each for each in able if each.is_default(direction)]
    elif isinstance(device, int):
        found = [each for each in able if each.number == device]
    else:
        wanted = device.casefold()
        found = [each for each in able if each.name.casefold() == wanted]
        found = found or [each for each in able if wanted in each.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{each.number} {each.name!r}" for each in found)
        msg = f"{device!r} may be any of several devices: {several}"
    else:
        msg = f"this machine has no {noun}" if device is None else f"there is no {noun} {device!r}"
    raise (InputError if direction == "input" else OutputError)(msg, hint="`rt-run devices` lists what there is")
