"""Tools that are programs: arguments as JSON on standard input, the result on standard output."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner import logs
from runner.child_process import run_program
from runner.errors import SecretError, reason_of
from runner.protocol.json_text import dumps
from runner.redaction import redact
from runner.tools.given_texts import program_environment
from runner.tools.output_text import MARGIN_BYTES, text_of
from runner.tools.tool_opening import opening
from runner.tools.tool_source import CallAnswer, OfferedTool

if TYPE_CHECKING:
    from runner.settings.tool import CommandRun, ToolSettings
    from runner.tools.tool_source import JsonObject

_GRACE_S = 1.0
"""How long a program that is given up may take to end after SIGTERM, in seconds."""

_LONGEST_ERRORS = 1000


class CommandTool:
    """A tool that is a program, run once for each call in a process group of its own."""

    def __init__(self, settings: ToolSettings, run: CommandRun) -> None:
        self._settings = settings
        self._run = run

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Ask once for all that the program is given, so that a missing secret shows at the start.

        Raises:
            SecretError: A reference leads nowhere.
        """
        with opening(self._settings.name):
            await program_environment(self._run.env, self._run.pass_env)
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool."""
        return [OfferedTool.declared(self._settings)]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Run the program with these arguments."""
        try:
            variables = await program_environment(self._run.env, self._run.pass_env)
            ended = await run_program(
                self._run.argv,
                given=dumps(arguments).encode(),
                longest_bytes=self._settings.max_output_bytes + MARGIN_BYTES,
                cwd=self._run.cwd,
                env=variables,
                grace_s=_GRACE_S,
            )
        except (OSError, ValueError, SecretError) as error:
            reason = error.message if isinstance(error, SecretError) else reason_of(error)
            logs.logger().error("tool_not_started", tool=name, program=self._run.argv[0], error=reason)
            return CallAnswer("The tool could not be started.", is_failed=True)
        if ended.errors and self._settings.log != "none":
            logs.logger().info("tool_stderr", tool=name, text=redact(text_of(ended.errors))[-_LONGEST_ERRORS:])
        output = text_of(ended.output)
        if ended.is_cut or ended.exit_code == 0:
            return CallAnswer(output, is_cut=ended.is_cut)
        how = f"exit code {ended.exit_code}" if ended.exit_code > 0 else f"signal {-ended.exit_code}"
        return CallAnswer(f"The tool failed with {how}.\n{output}".rstrip(), is_failed=True, may_pass=True)
