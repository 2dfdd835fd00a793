"""What the model of a Live session delegates to the client: each task is done, and always answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError
from runner.protocol.delegations import TaskDelegated
from runner.protocol.json_text import dumps, loads
from runner.protocol.typed_text import COMMENTARY, THINKING, told_event
from runner.session.link import NotSent
from runner.settings.tool import ToolSettings
from runner.tools.profile_tools import declared_source
from runner.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState
    from runner.session.carriage import Carriage
    from runner.session.outbox import Outbox
    from runner.session.update import Update
    from runner.settings.delegate import DelegateSettings

_NAME: Final = "delegate"
_SETTLE_S: Final = 0.3
"""So long nothing more must come of what the user has said before a task begins, in seconds."""
_LONGEST_S: Final = 3.0
"""No longer than this is waited for that, in seconds."""
_LONGEST_TEXT: Final = 1500
"""The longest text that the model is given, in characters: the API takes 500 tokens."""
_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "delegation_id": {"type": "string"},
        "transcript": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"role": {"type": "string"}, "text": {"type": "string"}},
            },
        },
    },
}
_PROGRESS: Final = "It is still being done."
_FAILED: Final = "Say that it could not be done: "


class Delegate:
    """Does the tasks of one session beside each other, with the program, request or function of the profile.

    Args:
        settings: Who does them, within which bounds.
        carriage: Where the session is.
        outbox: What goes out of it.
        tasks: Where they are done.
    """

    def __init__(
        self, settings: DelegateSettings, carriage: Carriage, outbox: Outbox, tasks: anyio.abc.TaskGroup
    ) -> None:
        fields = {name: getattr(settings, name) for name in type(settings).model_fields if name != "progress_after_s"}
        tool = ToolSettings(name=_NAME, description="Does a task.", parameters=_PARAMETERS, **fields)
        self._settings = settings
        self._carriage = carriage
        self._outbox = outbox
        self._tasks = tasks
        self._toolbox = Toolbox([declared_source(tool)])
        self._told: dict[str, int] = {}
        """How much of each item of the conversation a task was told of, in characters."""

    def begin(self) -> None:
        """Do tasks from now on, as soon as what does them is open."""
        self._toolbox.open(self._tasks)
        self._carriage.add_reader(self._read)

    async def ready(self) -> None:
        """Wait until what does the tasks is open.

        Raises:
            RunnerError: It can never be had.
        """
        await self._toolbox.ready()

    def _read(self, update: Update) -> None:
        for effect in update.effects:
            if isinstance(effect, TaskDelegated) and effect.target == "client":
                self._carriage.state.live.delegations.task(effect.delegation_id)
                self._tasks.start_soon(self._serve, effect.delegation_id)

    async def _serve(self, delegation_id: str) -> None:
        logs.bind(session_id=self._carriage.id)
        state = self._carriage.state
        try:
            await self._toolbox.ready()
            await self._settled(state)
            arguments = {"delegation_id": delegation_id, "transcript": self._transcript()}
            async with anyio.create_task_group() as meanwhile:
                meanwhile.start_soon(self._report_progress, state, delegation_id)
                result = await self._toolbox.call(_NAME, dumps(arguments), delegation_id)
                meanwhile.cancel_scope.cancel()
            said, known = _answer(result.output) if result.outcome == "ok" else (f"{_FAILED}{result.output}", "")
            state.live.has_unsaid_result = bool(said) or state.live.has_unsaid_result
            if known:
                await self._tell(state, THINKING, known, delegation_id)
            if said or not known:
                await self._tell(state, COMMENTARY if said else THINKING, said or "It is done.", delegation_id)
        except* RunnerError as raised:
            # The session has ended, and says why itself.
            logs.logger().debug("task_left", error=str(raised.exceptions[0]))
        finally:
            state.live.delegations.open.pop(delegation_id, None)
            self._carriage.changes.notify()

    async def _settled(self, state: SessionState) -> None:
        """Wait until all has come of what the user has just said: a task has no words of its own."""
        with anyio.move_on_after(_LONGEST_S):
            heard_s = -1.0
            while heard_s != state.live.last_at_s:  # pieces of speech wake nobody
                heard_s = state.live.last_at_s
                await anyio.sleep(_SETTLE_S)

    def _transcript(self) -> list[JsonObject]:
        """What was said since the task before, by whom."""
        said = []
        for item in self._carriage.state.conversation.items:
            told = self._told.get(item.id, 0)
            if item.type == "message" and len(item.text) > told:
                said.append({"role": item.role, "text": item.text[told:]})
                self._told[item.id] = len(item.text)
        return said

    async def _report_progress(self, state: SessionState, delegation_id: str) -> None:
        while True:
            await anyio.sleep(self._settings.progress_after_s)
            await self._tell(state, THINKING, _PROGRESS, delegation_id)

    async def _tell(self, state: SessionState, kind: str, text: str, delegation_id: str) -> None:
        """Tell the model something of its task; a session that follows knows no such task, and is told all the same."""
        text, link = text[:_LONGEST_TEXT], self._carriage.link
        try:
            if link is not None and link.state is state:
                await link.send({"type": kind, "content": text, "delegation_id": delegation_id})
                return
        except NotSent:
            pass
        if text != _PROGRESS:
            logs.logger().info("task_answered_late", delegation_id=delegation_id)
            await self._outbox.send(told_event(f"What was asked for before the connection was lost is done: {text}"))


def _answer(output: str) -> tuple[str, str]:
    """What is to be said, and what is only to be known: the output, or an object of `say` and `know`."""
    try:
        answer = loads(output)
    except ValueError:
        return output.strip(), ""
    if isinstance(answer, dict) and answer.keys() <= {"say", "know"}:
        return str(answer.get("say") or ""), str(answer.get("know") or "")
    return output.strip(), ""
