"""`--ask` asks one question."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command_process import Command, local


@pytest.mark.parametrize(
    "arguments", [("-p", "interpret", "--ask", "Hi"), ("-p", "transcribe", "--set", "input={kind='stdin'}")]
)
def test_who_only_listens_is_reported_nothing_in_text(rt_run: Any, arguments: tuple[str, ...]) -> None:
    """What no endpoint takes is the profile's fault, and no bug."""
    code, out, err = rt_run(*arguments)

    assert (code, out) == (78, "")
    assert "session takes audio, not text" in err
    assert "input.path=FILE" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--ask", "Well?"), "--ask: which profile it is for is not said"),
        (("--ask", "Well?", "list"), "--ask: it stands before a command, which would ignore it"),
        (("-p", "local", "--ask", " "), "--ask: there is nothing to ask"),
    ],
)
def test_a_question_that_nobody_would_ask_is_refused(rt_run: Any, arguments: tuple[str, ...], problem: str) -> None:
    """With exit code 2 and a hint."""
    code, out, err = rt_run(*arguments)

    assert (code, out) == (2, "")
    assert problem in err


def test_a_document_and_a_question_are_one_message_and_its_answer_is_joined(tmp_path: Path) -> None:
    """A profile that runs until a signal ends all the same, and quotes in the question stay."""
    more = '[input]\nkind = "stdin"\nformat = "document"\n[[outputs]]\nkind = "stdout"\nformat = "json"\n'
    name = local(tmp_path, more=f'{more}[run]\nuntil = "signal"\n')

    ended = Command("--profile", name, "--ask", '"What" is {{it}}?', folder=tmp_path).end("One\ntwo\n")

    (turn,) = map(json.loads, ended.stdout.splitlines())
    assert ended.code == 0
    assert (turn["input"], turn["status"]) == ('One\ntwo\n\n"What" is {{it}}?', "completed")
    assert turn["usage"]["output_tokens"] > 0
    assert turn["latencies"]["done_ms"] >= turn["latencies"]["first_ms"] >= 0


def test_a_question_takes_the_place_of_the_input(tmp_path: Path) -> None:
    """Standard input is not read."""
    name = local(tmp_path, more='[input]\nkind = "stdin"\nformat = "events"\n')

    ended = Command("--profile", name, "--ask", "Well?", folder=tmp_path).end("not an event")

    assert (ended.code, ended.stdout) == (0, "You said: Well?\n")
