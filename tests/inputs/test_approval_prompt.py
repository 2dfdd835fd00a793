"""The user of a chat is asked whether a call may run."""

import anyio
import pytest

from runner.inputs.approval_prompt import ApprovalPrompt
from runner.session.approvals import ApprovalRequest

pytestmark = pytest.mark.anyio


async def test_lines_that_say_yes_or_no_answer_questions_and_others_are_the_chats() -> None:
    """Typed ahead or afterwards, whoever waits for lines; who leaves has said no."""
    lines, typed = anyio.create_memory_object_stream[str | None](10)
    said: list[str] = []
    prompt = ApprovalPrompt(said.append, typed.receive)
    answers: dict[str, bool] = {}

    async def ask(call_id: str) -> None:
        answers[call_id] = await prompt.ask(ApprovalRequest(call_id, "order", '{"of":"\x1b[2Jtea"}'))

    async with lines, typed, anyio.create_task_group() as tasks:
        for each in ("y", "And this?", " YES "):
            lines.send_nowait(each)
        assert await prompt.next_line() == "y"
        await ask("1")
        assert await prompt.next_line() == "And this?"
        # The chat waits for a line when the next questions come.
        chat: list[str | None] = []

        async def next_line() -> None:
            chat.append(await prompt.next_line())

        tasks.start_soon(next_line)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, "2")
        tasks.start_soon(ask, "3")
        await anyio.wait_all_tasks_blocked()
        lines.send_nowait("no")
        await anyio.wait_all_tasks_blocked()
        lines.send_nowait(None)

    assert answers == {"1": True, "2": False, "3": False}
    assert chat == [None]
    assert said[0] == 'order({"of":" [2Jtea"}): may it run? y or n'
