"""All that one run writes and plays: its outputs and its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner.outputs.session_output import AudiblePlayer
from runner.outputs.sink import Sink
from runner.outputs.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.outputs.journal_writer import JournalWriter
    from runner.outputs.playback import Playback
    from runner.outputs.session_output import Output
    from runner.session.pump import Reader
    from runner.session.session import Session

_LAST_WRITE_S = 0.2
"""How long the outputs may still write what they have taken where the end is forced, in seconds."""


class Outputs:
    """What one run writes and plays.

    Args:
        outputs: Its outputs, in the order of the profile.
        journal: Its journal, if it keeps one.
        playback: Has the answers heard by those outputs that play them, None where none does.

    Attributes:
        journal: As above.
        playback: As above; it knows how much of the answers was heard.
    """

    def __init__(
        self, outputs: Sequence[Output], journal: JournalWriter | None = None, playback: Playback | None = None
    ) -> None:
        self.journal = journal
        self.playback = playback
        self._sinks = [each for each in outputs if isinstance(each, Sink)]
        self._audible = [each for each in outputs if isinstance(each, AudiblePlayer)]
        self._all: list[Output] = [*outputs, *([journal] if journal else [])]

    @property
    def readers(self) -> list[Reader]:
        """What reads every update; the playback comes first, so that what was heard is known before it is written."""
        return [*([self.playback.take] if self.playback else []), *(sink.take for sink in self._sinks)]

    def start(self, tasks: anyio.abc.TaskGroup) -> None:
        """Write and play in tasks of this group, until closed."""
        for each in self._all:
            tasks.start_soon(each.run)
        if self.playback:
            tasks.start_soon(self.playback.run)

    def begin(self, session: Session) -> None:
        """Let every output know that the session is open: its time counts from now on, and what it says is heard."""
        for each in self._all:
            each.begin(session)
        if self.playback:
            self.playback.begin(session)

    def close(self) -> None:
        """Take nothing more."""
        for each in self._all:
            each.close()

    @property
    def is_audible(self) -> bool:
        """Whether somebody may be listening to the answers while the session runs."""
        return bool(self._audible)

    @property
    def is_silent(self) -> bool:
        """Whether silence is heard in place of the answers."""
        return any(each.is_silent for each in self._audible)

    def silence(self, *, is_silent: bool) -> None:
        """Have silence heard in place of the answers, or the answers again; recordings go on."""
        for each in self._audible:
            each.is_silent = is_silent

    async def flushed(self) -> None:
        """Wait until everything said so far is written."""
        for sink in self._sinks:
            await sink.flushed()

    async def written(self, waiting: anyio.CancelScope, *, within_s: float) -> None:
        """Wait until everything is written and on the disk, or that takes too long or is cancelled."""
        if not self._all:
            return
        with waiting, anyio.move_on_after(within_s):
            await self._finished()
        with anyio.move_on_after(_LAST_WRITE_S, shield=True):
            await self._finished()

    async def _finished(self) -> None:
        for each in self._all:
            await each.finished()

    @property
    def queued_bytes(self) -> int:
        """How far those that write are behind the session, in bytes."""
        return sum(each.queued_bytes for each in self._all if isinstance(each, Writer))

    @property
    def unfinished(self) -> str:
        """The names of the outputs that are still writing, separated by commas."""
        return ", ".join(each.name for each in self._all if not each.is_finished)
