"""The row of a terminal that shows how far a batch has come."""

import os
from collections.abc import Iterator

import pytest

from runner.cli import progress_bar
from runner.cli.progress_bar import ProgressBar
from tests.helpers.pseudo_terminal import ShownTerminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShownTerminal]:
    """A terminal of forty columns, which is standard error."""
    shown = ShownTerminal(40)
    monkeypatch.setattr(progress_bar, "STDERR", shown.side)
    monkeypatch.setenv("COLUMNS", "40")
    yield shown
    shown.close()


def test_lines_stand_above_the_row(terminal: ShownTerminal) -> None:
    """The row is drawn anew in its place, cut to the width, and leaves nothing behind."""
    bar = ProgressBar("support")

    bar.draw(0.5, "1 of 2")
    assert terminal.sees("1 of 2") == f"support {'━' * 10}{'┄' * 10} 1 of 2"
    assert bar.put_lines("something is wrong\r\n")
    bar.draw(1.0, "2 of 2 and more than there is room for")
    rows = terminal.sees("2 of 2").split("\n")
    bar.remove()
    os.write(terminal.side, b"over")

    assert rows == ["something is wrong", f"support {'━' * 20} 2 of 2 and"]
    assert terminal.sees("over") == "something is wrong\nover"


def test_a_terminal_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn is lost."""
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(progress_bar, "STDERR", writing)
    bar = ProgressBar("support")

    bar.draw(0.5, "1 of 2")
    bar.remove()

    os.close(writing)
