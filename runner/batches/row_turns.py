"""What is said in the session of a row: a reader that keeps its turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runner.batches.batch_result import RowLatencies
from runner.outputs.turn_objects import TurnObjects
from runner.redaction import redact

if TYPE_CHECKING:
    from runner.session.update import Update


class RowTurns:
    """Keeps the turns of a session, as an output of `format = "json"` shows them."""

    def __init__(self) -> None:
        self._objects = TurnObjects()
        self._lines: list[str] = []

    def read(self, update: Update) -> None:
        """Take an update: a reader of the session."""
        if text := self._objects.render((update,)):
            self._lines.append(text)

    def turns(self) -> list[dict[str, Any]]:
        """The turns, in order, without known secrets."""
        return [json.loads(line) for line in redact("".join(self._lines)).split("\n") if line]


def text_of_turns(turns: list[dict[str, Any]]) -> str:
    """What was answered, or said in a transcription, a line each."""
    return "\n".join(each["text"] for each in turns if each["text"])


def latencies_of_turns(turns: list[dict[str, Any]], opened_ms: int | None) -> RowLatencies:
    """How long the first answer took of which that is known, and the session to open."""
    all_known = (each["latencies"] for each in turns)
    known: dict[str, int | None] = next((each for each in all_known if each["first_ms"] is not None), {})
    return RowLatencies(opened_ms=opened_ms, first_ms=known.get("first_ms"), done_ms=known.get("done_ms"))
