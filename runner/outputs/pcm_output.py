"""Answers as raw samples on standard output: as they come, or as fast as they are to be heard."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

import anyio

from runner.errors import OutputError
from runner.outputs.session_output import Player
from runner.outputs.writer import FileTarget, Writer
from runner.standard_streams import STDERR, STDOUT, are_one_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.audio.playout import Heard
    from runner.outputs.session_output import Fail, Piece
    from runner.outputs.standard_output import StandardOutput
    from runner.settings.output import StdoutOutput

AHEAD_S = 0.1
"""How long before it is heard a sample is written, in seconds."""

_SLICE_MS = 20


class PcmOutput(Writer[bytes], Player):
    """Raw samples on standard output, 16-bit little-endian mono at the session's rate.

    Args:
        output: The profile's settings.
        stdout: What the sessions of the process share.
        fail: Called once with what goes wrong.

    Raises:
        OutputError: standard output is a terminal, or where the log goes too.
    """

    def __init__(self, output: StdoutOutput, stdout: StandardOutput, fail: Fail) -> None:
        if sys.stdout.isatty():
            msg = "audio cannot be written to a terminal"
            raise OutputError(msg, hint="pipe standard output into a player or a file")
        if are_one_place(STDOUT, STDERR):
            msg = "audio cannot be written where the log goes: its lines would be heard"
            raise OutputError(msg, hint="send standard error elsewhere, such as: 2>run.log")
        stdout.on_failure(fail)
        super().__init__(
            "standard output",
            FileTarget(stdout.open(), b"".join, stdout.turns.put_text),
            max_queue_bytes=output.max_queue_bytes,
            fail=fail,
            broken=stdout.fail,
            threads=stdout.threads,
        )
        self._is_live = output.is_live
        self.is_silent = False
        self._due: deque[tuple[float, bytes]] = deque()
        self._due_bytes = 0
        self._changed = anyio.Event()

    def play(self, piece: Piece) -> None:
        """Write a piece of an answer, at once or when it is to be heard."""
        if not self._is_live:
            self._write(piece.pcm)
            return
        size_bytes = piece.rate * _SLICE_MS // 1000 * 2
        for start in range(0, len(piece.pcm), size_bytes):
            self._due.append((piece.start_s + start / (piece.rate * 2), piece.pcm[start : start + size_bytes]))
        self._due_bytes += len(piece.pcm)
        if self._due_bytes > self._max_queue_bytes and not self._closed:
            self.close()
            msg = f"more than {self._max_queue_bytes} bytes wait to be heard on {self.name}"
            self._fail(OutputError(msg, hint="raise `max_queue_bytes`"))
        self._changed.set()

    def cut(self, heard: Sequence[Heard]) -> None:
        """Drop what was not written yet."""
        self._due.clear()
        self._due_bytes = 0

    def close(self) -> None:
        """Let `run` end once what was due is written."""
        super().close()
        self._changed.set()

    async def run(self) -> None:
        """Write until closed; an error is reported through `fail`."""
        async with anyio.create_task_group() as tasks:
            if self._is_live:
                tasks.start_soon(self._keep_pace)
            await super().run()
            tasks.cancel_scope.cancel()

    def _write(self, pcm: bytes) -> None:
        self.put(bytes(len(pcm)) if self.is_silent else pcm, len(pcm))

    async def _keep_pace(self) -> None:
        while not self._closed:
            self._changed = anyio.Event()
            while self._due and self._due[0][0] - AHEAD_S <= anyio.current_time():
                _, pcm = self._due.popleft()
                self._due_bytes -= len(pcm)
                self._write(pcm)
            if self._due:
                await anyio.sleep(max(0.0, self._due[0][0] - AHEAD_S - anyio.current_time()))
            else:
                await self._changed.wait()
