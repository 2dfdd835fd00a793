"""What goes in: text, client events, or audio."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section

DeviceChoice = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""An audio device by its number or by a part of its name, as `rt-run devices` shows them."""
TrailingSilence = Annotated[int, Field(ge=0, le=60_000)]
HearingTimeout = Annotated[float, Field(gt=0, le=3600)]


class NoInput(Section):
    """Nothing goes in; the session lives until a signal or the endpoint ends it."""

    kind: Literal["none"]


class StdinInput(Section):
    """Standard input; on a terminal and with `format = "text"` it is a chat."""

    kind: Literal["stdin"]
    format: Literal["text", "document", "events", "audio"] = "text"
    """`text`: each line is a user message that is answered; `document`: all of it is one; `events`: each line is a
    client event in JSON; `audio`: raw samples, 16-bit little-endian mono."""
    history: bool = True
    """With `format = "text"` on a terminal: keep what is typed for the next chat with this profile."""
    max_line_bytes: Annotated[int, Field(ge=1024, le=1 << 28)] = 16 * 1024 * 1024
    """The longest line taken, or the longest document, in bytes."""
    question: str = ""
    """With `format = "document"`: what is asked about it, after it in the same message."""
    rate: Annotated[int, Field(ge=4000, le=192_000)] = 24_000
    """With `format = "audio"`: samples a second."""
    trailing_silence_ms: TrailingSilence = 1000
    """With `format = "audio"`: silence sent after the end, so that turn detection hears it, in milliseconds."""
    hearing_timeout_s: HearingTimeout = 15.0
    """With `format = "audio"`: how long turn detection may give no sign of what was said, beyond the time that it takes
    to say it, in seconds; what it has not heard by then fails the run."""
    mute_while_playing: bool = False
    """With `format = "audio"`: send silence while an answer plays, where the microphone hears the speaker."""


class QuestionInput(Section):
    """One question; the session ends with its answer. `--ask` asks another one."""

    kind: Literal["question"]
    question: Annotated[str, Field(min_length=1)]
    """What is asked."""


class FileInput(Section):
    """A recording that is sent to the session as if the user spoke."""

    kind: Literal["file"]
    path: Path
    """WAV, and with the extra `audio` also FLAC, OGG and MP3, of any rate and channel count; a relative path
    starts at the profile."""
    pace: Literal["real-time", "fast"] = "real-time"
    """`real-time`: as fast as it was spoken; `fast`: as fast as the endpoint takes it."""
    trailing_silence_ms: TrailingSilence = 1000
    """Silence sent after the end, so that turn detection hears it, in milliseconds."""
    hearing_timeout_s: HearingTimeout = 15.0
    """How long turn detection may give no sign of what was said, beyond the time that it takes to say it, in seconds;
    what it has not heard by then fails the run."""


class MicrophoneInput(Section):
    """A microphone; needs the extra `audio`."""

    kind: Literal["microphone"]
    device: DeviceChoice | None = None
    """The device by number or by a part of its name; the system's default without."""
    mute_while_playing: bool = False
    """Send silence while an answer plays, where the microphone hears the speaker (half duplex)."""
    push_to_talk: bool = False
    """On a terminal: the space bar starts a turn and ends it, and only what is said between is heard; needs
    `session.audio.input.turn_detection = "none"`."""
    on_device_lost: Literal["fail", "default"] = "fail"
    """What to do when the device disappears: `fail` ends the session with an error, `default` goes on with the
    system's default device."""


def is_text(settings: "Input | None") -> bool:
    """Whether what goes in is text that the user says, and not events or audio."""
    return isinstance(settings, QuestionInput) or (
        isinstance(settings, StdinInput) and settings.format in {"text", "document"}
    )


def answers_calls(settings: "Input") -> bool:
    """Whether what goes in can answer the functions that the model calls: only client events can."""
    return isinstance(settings, StdinInput) and settings.format == "events"


Input = Annotated[NoInput | StdinInput | QuestionInput | FileInput | MicrophoneInput, Field(discriminator="kind")]
