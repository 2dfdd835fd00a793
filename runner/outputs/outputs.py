"""Everything that a run writes and plays: its outputs and its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc
import anyio.to_thread

from runner.outputs.sinks import Sink, StandardOutput, is_audio, open_sinks
from runner.protocol.session_update import session_update

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.outputs.audio_outputs import AudioOutputs
    from runner.outputs.journal_writer import JournalWriter
    from runner.outputs.playback import Playback
    from runner.session.pump import Reader
    from runner.session.session import Session
    from runner.settings.profile import Profile

_LAST_WRITE_S = 0.2
"""What only waits to be written, as a journal does, is written also where the end is forced, in seconds."""


class _Outlet(Protocol):
    """Something that works beside the session until it is closed."""

    @property
    def name(self) -> str: ...

    @property
    def is_finished(self) -> bool: ...

    async def run(self) -> None: ...

    def close(self) -> None: ...

    async def finished(self) -> None: ...


class Outputs:
    """What one run writes and plays.

    Args:
        sinks: Its outputs that are text.
        journal: Its journal, if it keeps one.
        audio: Its outputs that are sound, if there are any.
    """

    def __init__(
        self, sinks: list[Sink], journal: JournalWriter | None = None, audio: AudioOutputs | None = None
    ) -> None:
        self.journal = journal
        self._audio = audio
        self._sinks = sinks
        self._all: list[_Outlet] = [*sinks, *([journal] if journal else []), *(audio.writers if audio else [])]

    @property
    def playback(self) -> Playback | None:
        """What knows how much of the answers was heard, None where they are not played."""
        return self._audio.playback if self._audio else None

    @property
    def readers(self) -> list[Reader]:
        """What has to hear of every update; what was heard is known before it is written."""
        return [*([self.playback.take] if self.playback else []), *(sink.take for sink in self._sinks)]

    def start(self, tasks: anyio.abc.TaskGroup) -> None:
        """Write and play in tasks of this group, until closed."""
        for each in self._all:
            tasks.start_soon(each.run)
        if self.playback:
            tasks.start_soon(self.playback.run)

    def begin(self, session: Session) -> None:
        """The session is open."""
        if self._audio:
            self._audio.begin(session)

    def close(self) -> None:
        """Take nothing more."""
        for each in self._all:
            each.close()

    async def flushed(self) -> None:
        """Wait until everything said so far is written."""
        for sink in self._sinks:
            await sink.flushed()

    async def written(self, waiting: anyio.CancelScope, *, within_s: float) -> None:
        """Wait until everything is written and on the disk, or that takes too long or is cancelled."""
        with waiting, anyio.move_on_after(within_s):
            await self._finished()
        with anyio.move_on_after(_LAST_WRITE_S, shield=True):
            await self._finished()

    async def _finished(self) -> None:
        for each in self._all:
            await each.finished()

    @property
    def unfinished(self) -> str:
        """The names of those that are not, nothing where all are."""
        return ", ".join(each.name for each in self._all if not each.is_finished)


async def open_outputs(
    profile: Profile, names: Mapping[str, str], fail: Callable[[RunnerError], None], stdout: StandardOutput
) -> Outputs:
    """Open everything that a profile writes to, before anything connects; it can be cancelled.

    Args:
        profile: The profile.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.
        stdout: What the sessions of the process share.

    Raises:
        OutputError: a file or a device cannot be opened.
        ProfileError: what a device needs is not installed.
    """

    def opened() -> Outputs:
        audible = [each for each in profile.outputs if is_audio(each)]
        is_played = any(each.kind != "audio" or each.track != "input" for each in audible)
        sinks = open_sinks(profile.outputs, names, fail, stdout, is_played=is_played)
        audio = None
        if audible:
            from runner.outputs.audio_outputs import open_audio_outputs

            wanted = session_update(profile)["session"]
            listeners = [sink.take for sink in sinks if sink.is_transcript]
            audio = open_audio_outputs(audible, names, fail, stdout, wanted=wanted, listeners=listeners)
        if profile.journal is None:
            return Outputs(sinks, audio=audio)
        from runner.outputs.journal_writer import open_journal

        return Outputs(sinks, open_journal(profile.journal, names, fail), audio)

    # Opening a named pipe waits for its reader, and nobody else shall wait for that thread.
    return await anyio.to_thread.run_sync(opened, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
