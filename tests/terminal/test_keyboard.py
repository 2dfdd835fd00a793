"""What was typed on its way to the task that waits for it, and what was typed before anybody read keys."""

import os
import pty
import threading
from collections.abc import Iterator

import anyio
import pytest

from runner.terminal.keyboard import MAX_WAITING, Keyboard, typed_before


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    """A keyboard."""
    it = Keyboard()
    yield it
    it.close()


@pytest.mark.anyio
async def test_another_thread_wakes_the_task_that_waits(keyboard: Keyboard) -> None:
    """Lines come in their order, and the wish to leave after all of them, once."""
    taken: list[str | None] = []
    async with anyio.create_task_group() as tasks:

        async def take() -> None:
            while (line := await keyboard.next()) is not None:
                taken.append(line)

        tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        assert keyboard.is_awaited

        def types() -> None:
            keyboard.put("one")
            keyboard.put("two")
            keyboard.leave()
            keyboard.leave()

        thread = threading.Thread(target=types)
        thread.start()
        thread.join()

    assert taken == ["one", "two"]
    assert (keyboard.is_awaited, keyboard.has_left, keyboard.waiting) == (False, True, [])


def test_what_nobody_takes_is_bounded(keyboard: Keyboard) -> None:
    """Who types is told that there is no room."""
    room = [keyboard.put("line") for _ in range(MAX_WAITING + 1)]

    assert room == [True] * MAX_WAITING + [False]


def test_an_end_of_input_that_was_typed_early_is_not_lost() -> None:
    """The driver of a terminal gives lines, and forgets the end of input when it is asked for single keys."""
    user, side = pty.openpty()
    try:
        assert typed_before(side) == ("", False)
        os.write(user, b"one\ntwo\n")
        assert typed_before(side) == ("one\ntwo\n", False)
        os.write(user, b"three\n\x04")
        assert typed_before(side) == ("three\n", True)
    finally:
        os.close(user)
        os.close(side)
