"""Reloads are carried out one after the other, whatever becomes of who has asked for them."""

from typing import Any

import anyio
import pytest

from runner.errors import ProfileError
from runner.runs.reload_requests import ReloadRequests
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio


async def test_each_request_is_answered_unless_nobody_waits_for_it_when_its_turn_comes() -> None:
    """With what has changed, with what is wrong, and at the end of the process with that."""
    outcomes: list[Any] = [{"moved": 1}, ProfileError("it is wrong"), ZeroDivisionError(), {"moved": 0}]
    begun: list[int] = []
    answers: dict[int, Any] = {}
    turn = anyio.Event()

    async def carry_out() -> dict[str, Any]:
        number = len(begun)
        begun.append(number)
        await turn.wait()
        if number == len(outcomes):
            await anyio.sleep_forever()
        if isinstance(outcomes[number], Exception):
            raise outcomes[number]
        return dict(outcomes[number])

    async def ask(number: int) -> None:
        try:
            answers[number] = await requests.answered()
        except Exception as error:  # noqa: BLE001  # it is compared below
            answers[number] = str(error)

    requests = ReloadRequests(carry_out)
    with anyio.fail_after(PATIENCE_S), captured_log() as lines:
        async with anyio.create_task_group() as asking:
            async with anyio.create_task_group() as process:
                process.start_soon(requests.run)
                async with anyio.create_task_group() as impatient:
                    for number in range(2):
                        impatient.start_soon(ask, number)
                        await anyio.wait_all_tasks_blocked()
                    impatient.cancel_scope.cancel()
                for number in range(2, 6):
                    asking.start_soon(ask, number)
                    await anyio.wait_all_tasks_blocked()
                assert begun == [0]
                turn.set()
                while len(begun) <= len(outcomes):
                    await anyio.wait_all_tasks_blocked()
                asking.start_soon(ask, 6)
                await anyio.wait_all_tasks_blocked()
                process.cancel_scope.cancel()
            asking.start_soon(ask, 7)

    assert answers == {
        2: "it is wrong",
        3: "a bug in rt-run, which the log traces",
        4: {"moved": 0},
        **dict.fromkeys((5, 6, 7), "the process ends"),
    }
    assert [each["event"] for each in lines] == ["internal_error"]
