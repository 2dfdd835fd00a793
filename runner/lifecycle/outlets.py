"""Everything that a run writes: its outputs and its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread

from runner.session.outputs import Sink, StandardOutput, open_outputs

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.session.journal import Journal
    from runner.session.pump import Reader
    from runner.settings.profile import Profile


class Outlets:
    """The files of one run, open for writing.

    Args:
        sinks: Its outputs.
        journal: Its journal, if it keeps one.
    """

    def __init__(self, sinks: list[Sink], journal: Journal | None) -> None:
        self.journal = journal
        self._sinks = sinks
        self._all: list[Sink | Journal] = [*sinks, *([journal] if journal else [])]

    @property
    def readers(self) -> list[Reader]:
        """What has to hear of every update."""
        return [sink.take for sink in self._sinks]

    def start(self, tasks: anyio.abc.TaskGroup) -> None:
        """Write in tasks of this group, until closed."""
        for each in self._all:
            tasks.start_soon(each.run)

    def close(self) -> None:
        """Take nothing more."""
        for each in self._all:
            each.close()

    async def flushed(self) -> None:
        """Wait until everything said so far is written."""
        for sink in self._sinks:
            await sink.flushed()

    async def finished(self) -> None:
        """Wait until everything is written and on the disk."""
        for each in self._all:
            await each.finished()

    @property
    def unfinished(self) -> str:
        """The names of those that are not, nothing where all are."""
        return ", ".join(each.name for each in self._all if not each.is_finished)


async def open_outlets(
    profile: Profile, names: Mapping[str, str], fail: Callable[[RunnerError], None], stdout: StandardOutput
) -> Outlets:
    """Open everything that a profile writes to, before anything connects; it can be cancelled.

    Args:
        profile: The profile.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.
        stdout: What the sessions of the process share.

    Raises:
        OutputError: a file cannot be opened.
    """

    def opened() -> Outlets:
        sinks = open_outputs(profile.outputs, names, fail, stdout)
        if profile.journal is None:
            return Outlets(sinks, None)
        from runner.session.journal import open_journal

        return Outlets(sinks, open_journal(profile.journal, names, fail))

    # Opening a named pipe waits for its reader, and nobody else shall wait for that thread.
    return await anyio.to_thread.run_sync(opened, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
