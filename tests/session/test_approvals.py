"""An answer to a request for approval is for that request, and for no other."""

import anyio
import pytest

from runner.connect.changes import Changes
from runner.session.approvals import ApprovalAnswer, ApprovalRequest, Approvals
from tests.helpers.endpoint_scripts import PATIENCE_S

pytestmark = pytest.mark.anyio


async def test_calls_that_share_an_id_are_asked_about_one_after_the_other() -> None:
    """Who approves of the call that is shown has not approved of the other one."""
    approvals = Approvals(60, Changes())
    answers: dict[str, ApprovalAnswer] = {}

    async def decide(name: str) -> None:
        answers[name] = await approvals.decide(ApprovalRequest("call", name, "{}"), "always")

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            for name in ("first", "second"):
                tasks.start_soon(decide, name)
            for approve in (True, False):
                await anyio.wait_all_tasks_blocked()
                shown = approvals.waiting["call"].name
                approvals.answer("call", approve=approve)
                while shown not in answers:
                    await anyio.wait_all_tasks_blocked()
                assert answers[shown].is_approved == approve
    assert len(answers) == 2
