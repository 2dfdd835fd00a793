"""Approvals of calls: what waits for somebody's answer, and who gives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import anyio

from runner import logs
from runner.errors import IllegalEvent

if TYPE_CHECKING:
    from runner.connect.changes import Changes
    from runner.settings.tool import ApprovalCommand, CallApproval


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A call that runs only where somebody approves of it."""

    id: str
    """What the answer names: the id of the call, or of the endpoint's own request."""
    name: str
    """The function."""
    arguments: str
    """Its arguments, as the model has written them: JSON as a rule."""
    server: str = ""
    """The MCP server that the endpoint would call; nothing for what rt-run runs."""


Approve = Callable[[ApprovalRequest], Awaitable[bool]]


class ApprovalAnswer(NamedTuple):
    """What has become of a request."""

    is_approved: bool
    text: str = ""
    """Why not, for the model."""


class Approvals:
    """The requests of one session for approval; what nobody answers in time is denied.

    Args:
        timeout_s: How long an answer may take, in seconds.
        changes: Notified when a request comes or goes.

    Attributes:
        timeout_s: As above, for requests to come.
        waiting: The requests without an answer, by their ids, the oldest first.
    """

    def __init__(self, timeout_s: float, changes: Changes) -> None:
        self.waiting: dict[str, ApprovalRequest] = {}
        self.timeout_s = timeout_s
        self._changes = changes
        self._answers: dict[str, ApprovalAnswer] = {}
        self._ask: Approve | None = None

    def ask_by(self, ask: Approve | None) -> None:
        """Have `ask` asked about each request that comes from now on; None has nobody asked."""
        self._ask = ask

    def answer(self, request_id: str, *, approve: bool, reason: str = "") -> None:
        """Approve of a call, or deny it.

        Args:
            request_id: The `id` of the request.
            approve: Whether it may run.
            reason: Why not, for the model.

        Raises:
            IllegalEvent: No request waits under this id.
        """
        if request_id not in self.waiting:
            msg = f"no call with the id {request_id!r} waits for approval"
            raise IllegalEvent(msg)
        said = f": {reason}" if reason else "."
        self._answers[request_id] = ApprovalAnswer(approve, "" if approve else f"The call was denied{said}")
        self._changes.notify()

    async def decide(self, request: ApprovalRequest, how: CallApproval) -> ApprovalAnswer:
        """Wait for the answer to a request; after the time for it, the answer is no."""
        logs.logger().info("approval_asked", tool=request.name, call_id=request.id)
        answer = ApprovalAnswer(False, f"Nobody has approved of the call within {self.timeout_s:g} s.")
        with anyio.move_on_after(self.timeout_s):
            if not isinstance(how, str):
                answer = await _decided_by(how, request)
            else:
                answer = await self._answered(request)
        logs.logger().info("approval_given" if answer.is_approved else "approval_denied", call_id=request.id)
        return answer

    async def _answered(self, request: ApprovalRequest) -> ApprovalAnswer:
        while request.id in self.waiting:
            # Some endpoints give several calls one id, and an answer is for the one that was shown.
            await self._changes.next()
        self.waiting[request.id] = request
        self._changes.notify()
        try:
            async with anyio.create_task_group() as tasks:
                if self._ask is not None:
                    tasks.start_soon(self._asked, self._ask, request)
                while request.id not in self._answers:
                    await self._changes.next()
                tasks.cancel_scope.cancel()
            return self._answers[request.id]
        finally:
            self.waiting.pop(request.id, None)
            self._answers.pop(request.id, None)
            self._changes.notify()

    async def _asked(self, ask: Approve, request: ApprovalRequest) -> None:
        try:
            approve, reason = await ask(request), ""
        except Exception as error:  # noqa: BLE001  # it is the program's own; a call that nobody approved of is not run
            logs.logger().error("approval_failed", call_id=request.id, exc_info=error)
            approve, reason = False, "whoever should have been asked could not be"
        if request.id in self.waiting:
            self.answer(request.id, approve=bool(approve), reason=reason)


async def _decided_by(program: ApprovalCommand, request: ApprovalRequest) -> ApprovalAnswer:
    """What a program says, which gets the call as JSON: exit code 0 approves."""
    from runner.child_process import run_program
    from runner.protocol.json_text import dumps
    from runner.tools.given_texts import program_environment

    given = {"id": request.id, "name": request.name, "arguments": request.arguments}
    try:
        variables = await program_environment({}, [])
        ended = await run_program(
            program.command, given=dumps(given).encode(), longest_bytes=_MOST_BYTES, env=variables
        )
    except (OSError, ValueError) as error:
        logs.logger().error("approval_failed", call_id=request.id, program=program.command[0], error=str(error))
        return ApprovalAnswer(False, "The call was denied, since whoever decides could not be asked.")
    if ended.exit_code == 0:
        return ApprovalAnswer(True)
    reason = ended.output.decode(errors="replace").strip()
    return ApprovalAnswer(False, f"The call was denied: {reason}" if reason else "The call was denied.")


_MOST_BYTES = 1024
"""How much a program may say about why it denies a call, in bytes."""
