"""The scenario of a recorded session: it passes with the profile that made it, and fails with a changed one."""

from pathlib import Path

import anyio
import pytest
import tomli

from runner.errors import InputError
from runner.journal.reading import read_journal
from runner.journal.record import Record
from runner.journal.timeline import Timeline, timelines
from runner.scenarios.recorded_scenario import recorded_scenario
from runner.scenarios.scenario import Scenario
from tests.conftest import REPOSITORY
from tests.helpers.command_process import Command
from tests.helpers.scenario_trials import verdicts

PROFILE = REPOSITORY / "profiles" / "receptionist-text.toml"


def test_a_recorded_call_passes_with_its_profile_only(tmp_path: Path) -> None:
    """Its calls are answered as they were then; with another greeting it fails, and says so."""
    journal = 'journal={ path = "call.jsonl" }'
    questions = 'When are you open?\nIs "tea" \\1 sold?\nGoodbye\n'
    recorded = Command("--profile", str(PROFILE), "--var", "caller=Ada", "--set", journal, folder=tmp_path).end(
        questions
    )
    (timeline,) = timelines(read_journal(tmp_path / "call.jsonl", warn=pytest.fail))
    path = tmp_path / "call.toml"
    path.write_text(recorded_scenario(timeline, source="call.jsonl").replace('"receptionist-text"', f'"{PROFILE}"'))
    (same,) = anyio.run(verdicts, tmp_path, path)
    path.write_text(path.read_text().replace("from 9 to 18", "from 10 to 14"))
    (other,) = anyio.run(lambda: verdicts(tmp_path, path, sets=['greeting.text="Good day"']))

    assert recorded.code == 0
    assert (same.verdict, same.problems) == ("passed", [])
    assert [each.partition(":")[0] for each in other.problems] == ["turn 1"]
    assert 'result of opening_hours: {"day":"today","hours":"from 10 to 14"}' in other.transcript


def test_what_was_spoken_over_is_said_over() -> None:
    """An interrupted answer is expected to be that, a call keeps its arguments, and sound has a limit with a margin."""
    timeline = Timeline()

    def took(at_s: float, direction: str, **event: object) -> None:
        timeline.take(Record(at_s, direction, 1, event))  # type: ignore[arg-type]  # the test says which

    def answered(at_s: float, name: str, text: str, status: str, *calls: dict[str, object]) -> None:
        took(at_s, "in", type="response.created", response={"id": name})
        took(at_s + 0.2, "in", type="response.output_audio.delta", response_id=name, item_id=name, delta="AAAA")
        message = {"id": name, "type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
        response = {"id": name, "status": status, "output": [message, *calls]}
        took(at_s + 0.3, "in", type="response.done", response=response)

    took(0, "note", type="session.started", profile="desk", run_id="1")
    call: dict[str, object] = {
        "type": "function_call",
        "id": "i",
        "call_id": "c",
        "name": "find",
        "arguments": '{"a": [1, null], "b": {}}',
    }
    for at_s, said in ((1.0, "Tell me"), (2.0, "Stop\x7f")):
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}
        took(at_s, "out", type="conversation.item.create", item=item)
        took(at_s, "out", type="response.create")
        answered(
            at_s, f"r{at_s}", f"It's {said}", "cancelled" if at_s == 1 else "completed", *([call] if at_s == 2 else [])
        )
    output = {"type": "function_call_output", "call_id": "c", "output": "line\nline"}
    took(3.0, "out", type="conversation.item.create", item=output)

    data = tomli.loads(recorded_scenario(timeline, source="a\nb.jsonl"))
    scenario = Scenario.model_validate(data)

    assert [(turn.user, turn.over) for turn in scenario.turns] == [("Tell me", False), ("Stop\x7f", True)]
    assert data["turns"][0]["expect"] == []
    assert data["turns"][1]["expect"] == [
        {"interrupted": True},
        {"calls": "find", "with": {"b": {}}},
        {"text_contains": ["It's Stop\x7f"]},
    ]
    assert data["tool_results"] == {"find": [{"with": {"b": {}}, "output": "line\nline"}]}
    assert data["limits"] == {"first_audio_p95_ms": 300}


def test_a_greeting_that_was_spoken_over_is_a_turn() -> None:
    """It is expected to be begun; a session in which nothing was said makes no scenario."""
    timeline = Timeline()
    timeline.take(Record(0, "note", 1, {"type": "session.started", "profile": "desk", "run_id": "1"}))
    with pytest.raises(InputError, match=r"nothing was said in the session of the journal a.jsonl"):
        recorded_scenario(timeline, source="a.jsonl")
    message = {"id": "i", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Good mor"}]}
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Stop"}]}
    for direction, event in (
        ("in", {"type": "response.created", "response": {"id": "r"}}),
        ("in", {"type": "response.done", "response": {"id": "r", "status": "cancelled", "output": [message]}}),
        ("out", {"type": "conversation.item.create", "item": said}),
    ):
        timeline.take(Record(1.0, direction, 1, event))  # type: ignore[arg-type]  # one of these two

    scenario = Scenario.model_validate(tomli.loads(recorded_scenario(timeline, source="a.jsonl")))

    assert [(turn.user, turn.over) for turn in scenario.turns] == [(None, False), ("Stop", True)]
