"""Opens everything that a profile writes to and plays on, before anything connects.

A new kind of output needs its settings in `runner.settings.output`, its own module here and its case in `_opened`:
whatever else is asked of an output, its settings answer, or the protocols of `runner.outputs.session_output`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, assert_never

import anyio
import anyio.to_thread

from runner.outputs.outputs import Outputs
from runner.outputs.sink import Sink, file_sink, stdout_sink, words_sink
from runner.outputs.text import EventLines
from runner.protocol.session_format import format_of
from runner.settings.output import AudioOutput, EventsOutput, SpeakerOutput, StdoutOutput, TranscriptOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.outputs.journal_writer import JournalWriter
    from runner.outputs.playback import Playback
    from runner.outputs.session_output import Fail, Output
    from runner.outputs.standard_output import StandardOutput
    from runner.protocol.json_fields import JsonObject
    from runner.settings.output import OutputSettings
    from runner.settings.profile import Profile


async def open_outputs(
    profile: Profile, names: Mapping[str, str], fail: Fail, stdout: StandardOutput, *, asked: JsonObject
) -> Outputs:
    """Open everything that a profile writes to and plays on; it can be cancelled.

    Args:
        profile: The profile.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.
        stdout: What the sessions of the process share.
        asked: The `session` object that the first `session.update` asks for; it names the formats of the audio.

    Raises:
        OutputError: a file or a device cannot be opened.
        ProfileError: a library that an output needs is not installed.
    """

    def opened() -> Outputs:
        is_played = any(each.plays_answers for each in profile.outputs)
        has_text = any(each.uses_stdout for each in profile.outputs)
        given = _Given(names, fail, stdout, asked, is_played)
        outputs = [_opened(each, given) for each in profile.outputs]
        words = [words_sink(stdout, fail, is_played=is_played)] if stdout.shows_words and not has_text else []
        journal = _journal(profile, given)
        playback = _playback(profile, outputs, words) if is_played else None
        return Outputs([*outputs, *words], journal, playback)

    if not (profile.outputs or profile.journal or stdout.shows_words):
        return Outputs([])
    # Opening a named pipe waits for its reader; a thread that hangs there must not block another output.
    return await anyio.to_thread.run_sync(opened, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))


def placeholders(profile: str, run_id: str, session: int = 1, *, row: str = "", started: datetime) -> dict[str, str]:
    """The values that paths of outputs may contain besides variables: not two sessions start in one microsecond."""
    moment = started.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    named = {"profile": profile, "run_id": run_id, "session": str(session), "started": moment}
    return {**named, "row": row or named["session"]}


class _Given(NamedTuple):
    """What the outputs of a session are opened with."""

    names: Mapping[str, str]
    fail: Fail
    stdout: StandardOutput
    asked: JsonObject
    is_played: bool
    """Whether answers are played, so that a transcript says what was heard of them."""

    def path(self, template: str) -> Path:
        return Path(template.format_map(self.names))


def _opened(settings: OutputSettings, given: _Given) -> Output:
    """Open one output, and import what only it needs."""
    match settings:
        case StdoutOutput(plays_answers=True):
            from runner.outputs.pcm_output import PcmOutput

            return PcmOutput(settings, given.stdout, given.fail)
        case StdoutOutput():
            return stdout_sink(settings, given.stdout, given.fail, given.names, is_played=given.is_played)
        case EventsOutput(path=path, max_queue_bytes=most):
            return file_sink(given.path(path), EventLines(), max_queue_bytes=most, fail=given.fail)
        case TranscriptOutput(path=path, max_queue_bytes=most):
            from runner.outputs.transcript import Transcript

            lines = Transcript(markdown=settings.format == "markdown", is_played=given.is_played)
            return file_sink(given.path(path), lines, max_queue_bytes=most, fail=given.fail, notes_playback=True)
        case AudioOutput(path=path):
            from runner.outputs.wav_recording import WavRecording

            rates = {"input": format_of(given.asked, "input").rate, "output": format_of(given.asked, "output").rate}
            return WavRecording(settings, given.path(path), rates, given.fail)
        case SpeakerOutput():
            from runner.outputs.speaker import Speaker

            return Speaker(settings, format_of(given.asked, "output").rate, given.fail)
        case _:
            assert_never(settings)


def _journal(profile: Profile, given: _Given) -> JournalWriter | None:
    if profile.journal is None:
        return None
    from runner.outputs.journal_writer import JournalWriter

    return JournalWriter(profile.journal, given.path(profile.journal.path), fail=given.fail)


def _playback(profile: Profile, outputs: list[Output], words: list[Sink]) -> Playback:
    """The playback of the outputs that play answers, of which a device says best what was heard."""
    from runner.outputs.playback import Playback
    from runner.outputs.session_output import DevicePlayer, Player

    pairs = zip(profile.outputs, outputs, strict=True)
    players = [output for settings, output in pairs if settings.plays_answers and isinstance(output, Player)]
    return Playback(
        players,
        device=next((each for each in players if isinstance(each, DevicePlayer)), None),
        is_live=any(each.is_live for each in profile.outputs),
        listeners=[each.take for each in (*outputs, *words) if isinstance(each, Sink) and each.notes_playback],
    )
