"""What a terminal shows of a run besides the conversation."""

import os
import sys
from contextlib import redirect_stdout
from typing import Any
from unittest.mock import patch

import pytest
import structlog

from runner.profile import load_profile
from runner.runs.face import Face, is_filter
from runner.standard_streams import STDOUT
from runner.terminal.screen import Screen
from tests.helpers.pseudo_terminal import ShownTerminal


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("later", "left"),
    [([], ["not connected: no route"]), (["session_opened"], []), (["connecting_given_up"], [])],
)
async def test_who_stops_the_attempts_to_connect_still_reads_what_was_in_the_way(
    monkeypatch: pytest.MonkeyPatch, later: list[str], left: list[str]
) -> None:
    """The countdown of the attempts goes with the terminal; an error that ends the run is printed as any other."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = ShownTerminal(80)
    failed: dict[str, Any] = {"attempt": 1, "max_attempts": 10, "retry_in_s": 0.2, "error": "no route"}
    with (
        patch.object(sys, "stdin", os.fdopen(terminal.side, closefd=False)),
        redirect_stdout(os.fdopen(terminal.side, "w", closefd=False)),
    ):
        async with Face(load_profile("local"), Screen(STDOUT, ""), is_quiet=True) as face:
            face.has_log = True
            for event in ["connection_failed", *later]:
                with pytest.raises(structlog.DropEvent):
                    face.narrate(None, "info", {"event": event, **failed})
            terminal.sees("attempt 1 of 10, Ctrl-C ends it: no route")
    terminal.sees_no_longer("attempt 1")
    os.close(terminal.side)
    terminal.close()

    assert terminal.shown.splitlines() == left


@pytest.mark.parametrize(
    ("setting", "is_terminal", "filters"),
    [
        ("run.grace_s=9", True, True),
        ("run.grace_s=9", False, False),
        ("input={kind='question',question='Well?'}", True, True),
        ("run.until=signal", True, False),
        ("run.sessions=2", True, False),
        ("input.kind=none", True, False),
    ],
)
def test_text_from_elsewhere_makes_a_filter_whose_log_is_quiet_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, setting: str, is_terminal: bool, filters: bool
) -> None:
    """A service that somebody starts by hand logs as it would elsewhere."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)

    assert is_filter([load_profile("local", sets=[setting], environ={})]) is filters
