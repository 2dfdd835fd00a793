"""The outputs that are sound, opened together: what plays, what records, and the one playback they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.outputs.pcm_output import PcmOutput
from runner.outputs.playback import Playback
from runner.outputs.speaker import Speaker
from runner.outputs.wav_recording import WavRecording
from runner.protocol.session_format import format_of
from runner.settings.output import AudioOutput, SpeakerOutput, StdoutOutput

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.outputs.player import Player
    from runner.outputs.sinks import StandardOutput
    from runner.outputs.writer import Writer
    from runner.protocol.json_fields import JsonObject
    from runner.session.pump import Reader
    from runner.session.session import Session
    from runner.settings.output import Output


class AudioOutputs:
    """The sound of a session.

    Args:
        players: What gets the answers.
        recordings: What may also want to hear what is said to the session.
        listeners: Told what was heard.

    Attributes:
        playback: What knows how much was heard, None where no answer goes anywhere.
    """

    def __init__(
        self, players: Sequence[Speaker | PcmOutput], recordings: Sequence[WavRecording], listeners: Sequence[Reader]
    ) -> None:
        self.writers: list[Speaker | PcmOutput | Writer[Any]] = [*players, *(each.writer for each in recordings)]
        self._recordings = recordings
        device = next((each for each in players if isinstance(each, Speaker)), None)
        hearing: list[Player] = [*players, *(each for each in recordings if each.records_output)]
        is_live = device is not None or any(isinstance(each, PcmOutput) and each.is_live for each in players)
        self.playback: Playback | None = (
            Playback(hearing, device=device, is_live=is_live, listeners=listeners) if hearing else None
        )

    def begin(self, session: Session) -> None:
        """The session is open: its time counts from now on, and what it says is heard."""
        for each in self._recordings:
            each.begin(session)
        if self.playback:
            self.playback.begin(session)


def open_audio_outputs(
    outputs: Sequence[Output],
    names: Mapping[str, str],
    fail: Callable[[RunnerError], None],
    stdout: StandardOutput,
    *,
    wanted: JsonObject,
    listeners: Sequence[Reader],
) -> AudioOutputs:
    """Open every output of a session that is sound, before anything connects.

    Args:
        outputs: The profile's outputs.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.
        stdout: What the sessions of the process share.
        wanted: The `session` object that will be asked for, which says the formats.
        listeners: Told what was heard.

    Raises:
        OutputError: a file or a device cannot be opened.
        ProfileError: a library is not installed.
    """
    rates = {"input": format_of(wanted, "input").rate, "output": format_of(wanted, "output").rate}
    players: list[Speaker | PcmOutput] = []
    recordings: list[WavRecording] = []
    for output in outputs:
        match output:
            case SpeakerOutput():
                players.append(Speaker(output, rates["output"], fail))
            case StdoutOutput(format="audio"):
                players.append(PcmOutput(output, stdout, fail))
            case AudioOutput():
                recordings.append(WavRecording(output, names, rates, fail))
            case _:
                pass
    return AudioOutputs(players, recordings, listeners)
