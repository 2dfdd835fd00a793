"""The outputs of a profile: what comes out of a session, and where it goes."""

import re
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runner.api.strict import Section
from runner.settings.input import DeviceChoice

PLACEHOLDERS = frozenset({"profile", "row", "run_id", "session", "started"})
"""The names that an output's path may contain in braces, besides the profile's variables."""


def placeholders_in(template: str) -> list[str]:
    """The names in the braces of a path.

    Raises:
        ValueError: Something else stands in braces.
    """
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError:
        msg = "braces must come in pairs"
        raise ValueError(msg) from None
    for _, name, spec, conversion in fields:
        if spec or conversion or not re.fullmatch(r"[A-Za-z_]\w*", name or ""):
            msg = "a placeholder is a name in braces, such as {started}"
            raise ValueError(msg)
    return [name or "" for _, name, _, _ in fields]


def _template(value: str) -> str:
    placeholders_in(value)
    return value


PathTemplate = Annotated[str, Field(min_length=1), AfterValidator(_template)]
QueueBytes = Annotated[int, Field(ge=65536, le=1 << 32)]


class OutputSection(Section):
    """What an output says of itself to all who need not know which kind it is."""

    @property
    def plays_answers(self) -> bool:
        """Whether the sound of the answers goes there."""
        return False

    @property
    def records_input(self) -> bool:
        """Whether the sound that the user sends goes there."""
        return False

    @property
    def is_live(self) -> bool:
        """Whether the user listens to it while the session runs, so that the session's end waits for the sound."""
        return False

    @property
    def file_path(self) -> str | None:
        """The path of the file that it writes, with placeholders; None where it writes none."""
        return None

    @property
    def uses_stdout(self) -> bool:
        """Whether it writes to standard output."""
        return False


class StdoutOutput(OutputSection):
    """Standard output."""

    kind: Literal["stdout"]
    format: Literal["text", "json", "events", "audio"] = "text"
    """`text`: the answers' text as it streams, or each answer whole where several sessions write; `json`: a JSON object
    a turn, with what was said, the answer, its status, usage and latencies; `events`: every server event as a JSON
    line; `audio`: the answers' raw samples, 16-bit little-endian mono at the session's rate."""
    markdown: bool = False
    """With `format = "text"` in a chat on a terminal: render the answers' Markdown; needs `pip install
    rt-run[markdown]`."""
    pace: Literal["fast", "real-time"] = "fast"
    """With `format = "audio"`: `fast` writes what comes as it comes; `real-time` as fast as it is to be heard, so that
    an answer that is interrupted is not in the pipe already."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow reader may fall behind before the session ends with an error, in bytes."""

    @property
    def plays_answers(self) -> bool:
        """Whether it writes the samples of the answers."""
        return self.format == "audio"

    @property
    def is_live(self) -> bool:
        """Whether the samples come out as fast as they are to be heard."""
        return self.plays_answers and self.pace == "real-time"

    @property
    def uses_stdout(self) -> bool:
        """Always."""
        return True


class EventsOutput(OutputSection):
    """A file of every server event, one JSON object a line."""

    kind: Literal["events"]
    path: PathTemplate
    """The file, appended to; may contain `{profile}`, `{run_id}`, `{session}`, `{row}` and `{started}`; folders are
    made."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""

    @property
    def file_path(self) -> str:
        """The path, with placeholders."""
        return self.path


class TranscriptOutput(OutputSection):
    """A file of what was said, both sides, a finished turn at a time."""

    kind: Literal["transcript"]
    format: Literal["json", "markdown"] = "json"
    """`json`: a JSON object a line; `markdown`: a paragraph each, for people."""
    path: PathTemplate
    """The file, appended to; may contain `{profile}`, `{run_id}`, `{session}`, `{row}` and `{started}`; folders are
    made."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""

    @property
    def file_path(self) -> str:
        """The path, with placeholders."""
        return self.path


class AudioOutput(OutputSection):
    """A WAV file of what was heard, playable at any moment, also after a crash."""

    kind: Literal["audio"]
    path: PathTemplate
    """The file, which must not exist yet; may contain `{profile}`, `{run_id}`, `{session}`, `{row}` and `{started}`;
    folders are made."""
    track: Literal["output", "input", "both"] = "output"
    """`output`: the answers; `input`: what was said to the session; `both`: stereo, aligned in time, the user left and
    the assistant right."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""

    @property
    def plays_answers(self) -> bool:
        """Whether the answers are recorded."""
        return self.track != "input"

    @property
    def records_input(self) -> bool:
        """Whether what the user says is recorded."""
        return self.track != "output"

    @property
    def file_path(self) -> str:
        """The path, with placeholders."""
        return self.path


class SpeakerOutput(OutputSection):
    """A loudspeaker; needs the extra `audio`."""

    kind: Literal["speaker"]
    device: DeviceChoice | None = None
    """The device by number or by a part of its name; the system's default without."""
    buffer_ms: Annotated[int, Field(ge=0, le=2000)] = 60
    """How much of an answer is gathered before it plays, against jitter of the network, in milliseconds."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How much may wait to be played before the session ends with an error, in bytes."""
    on_device_lost: Literal["fail", "default"] = "fail"
    """What to do when the device disappears: `fail` ends the session with an error, `default` goes on with the
    system's default device."""

    @property
    def plays_answers(self) -> bool:
        """Always: the answers are heard there."""
        return True

    @property
    def is_live(self) -> bool:
        """Always: the user listens."""
        return True


OutputSettings = Annotated[
    StdoutOutput | EventsOutput | TranscriptOutput | AudioOutput | SpeakerOutput, Field(discriminator="kind")
]
