"""The scenario of a recorded session: its turns, its calls with their recorded results, its limits with a margin."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runner.errors import InputError
from runner.scenarios.judgement import arguments_of
from runner.tools.end_session import END_SESSION_TOOL

if TYPE_CHECKING:
    from runner.journal.timeline import Timeline
    from runner.protocol.json_fields import JsonObject

_MARGIN: Final = 1.5
"""How much longer than in the recorded session answers may take."""
_ENDS: Final = frozenset({"hung-up", "idle"})
"""The reasons by which a session ends by itself."""
_LONGEST_PATTERN: Final = 200
"""So much of a result is looked for in the script, in characters."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class _Call:
    name: str
    arguments: JsonObject
    output: str


@dataclass
class _Step:
    """One answer: what it says, and what it calls."""

    text: str
    is_interrupted: bool
    calls: list[_Call] = field(default_factory=list)


@dataclass
class _RecordedTurn:
    """What the user said, nothing where the agent speaks by itself, and what came of it."""

    user: str | None
    is_over: bool = False
    steps: list[_Step] = field(default_factory=list)


def recorded_scenario(timeline: Timeline, *, source: str) -> str:
    """The TOML text of the scenario of a session.

    Args:
        timeline: The session.
        source: Where it was recorded.

    Raises:
        InputError: Nothing was said in it.
    """
    turns = _turns(timeline)
    if not turns:
        msg = f"nothing was said in the session of the journal {source}"
        raise InputError(msg, hint="a scenario is made of turns; `rt-run replay FILE` shows what there is")
    lines = [
        "#:schema ../../schemas/scenario.schema.json",
        f"# Made of {_toml(source)}: what was said and called is expected again. Shorten what may be said otherwise.",
        "version = 1",
        f"profile = {_toml(timeline.header.profile)}",
    ]
    if variables := timeline.started.get("variables"):
        lines.append(f"variables = {_toml(variables)}")
    lines += ["script = [", *(f"  {_toml(row)}," for row in _script(turns)), "]", ""]
    lines += _results(turns)
    if limit := _limit(timeline):
        lines += ["[limits]", limit, ""]
    for turn in turns:
        lines += [*_turn(turn), ""]
    if (reason := timeline.ended.get("reason")) in _ENDS:
        lines += ["[end]", f"reason = {_toml(reason)}", ""]
    return "\n".join(lines)


def _turns(timeline: Timeline) -> list[_RecordedTurn]:
    turns: list[_RecordedTurn] = []
    waiting: list[tuple[_Step, str]] = []
    for row in timeline.rows:
        if row.who == "user":
            spoken = row.text or f"(turn {len(turns) + 1}, which was not transcribed)"
            is_over = bool(turns and turns[-1].steps and turns[-1].steps[-1].is_interrupted)
            turns.append(_RecordedTurn(spoken, is_over))
        elif row.who == "assistant":
            turns = turns or [_RecordedTurn(None)]
            step = _Step(row.text, row.facts.get("status") in {"interrupted", "cancelled"})
            turns[-1].steps.append(step)
            waiting += [(step, name) for name in row.facts.get("calls", ())]
        elif row.who == "tool":
            name, _, arguments = row.text.partition("(")
            if found := next((each for each in waiting if each[1] == name), None):
                waiting.remove(found)
                found[0].calls.append(
                    _Call(name, _sayable(arguments_of(arguments[:-1])), str(row.facts.get("output", "")))
                )
    return [each for each in turns if each.user is not None or any(step.text for step in each.steps)]


def _script(turns: list[_RecordedTurn]) -> list[JsonObject]:
    """What the local endpoint answers, so that the recorded session comes about again."""
    rows: list[JsonObject] = []
    for turn in turns:
        prompt = {"match": f"^{re.escape(turn.user)}$"} if turn.user is not None else None
        for step in turn.steps:
            if prompt and prompt not in [{key: row[key] for key in prompt if key in row} for row in rows]:
                calls = [{"name": each.name, "arguments": each.arguments} for each in step.calls]
                reply = {"reply": step.text.replace("\\", r"\\")} if step.text or not calls else {}
                rows.append({**prompt, **reply, **({"calls": calls} if calls else {})})
            outputs = "\n".join(each.output for each in step.calls)[:_LONGEST_PATTERN]
            prompt = {"output": re.escape(outputs)} if outputs else None
    return rows


def _results(turns: list[_RecordedTurn]) -> list[str]:
    lines: list[str] = []
    told: list[tuple[str, JsonObject]] = []
    for call in [each for turn in turns for step in turn.steps for each in step.calls]:
        if call.name != END_SESSION_TOOL.name and (call.name, call.arguments) not in told:
            told.append((call.name, call.arguments))
            given = [f"with = {_toml(call.arguments)}"] if call.arguments else []
            lines += [f"[[tool_results.{_key(call.name)}]]", *given, f"output = {_toml(call.output)}", ""]
    return lines


def _turn(turn: _RecordedTurn) -> list[str]:
    lines = ["[[turns]]"]
    if turn.user is not None:
        lines.append(f"user = {_toml(turn.user)}")
    expected: list[JsonObject] = []
    if turn.is_over:
        lines.append("over = true")
        expected.append({"interrupted": True})
    for step in turn.steps:
        expected += [
            {"calls": call.name, **({"with": call.arguments} if call.arguments else {})} for call in step.calls
        ]
        if step.text and not step.is_interrupted:
            expected.append({"text_contains": [step.text]})
    if turn.user is None and not expected:
        # What the agent began to say by itself was interrupted.
        expected.append({"said_by": "agent"})
    return [*lines, "expect = [", *(f"  {_toml(each)}," for each in expected), "]"]


def _limit(timeline: Timeline) -> str:
    """The limit on the time to the first audio; nothing where there was none."""
    firsts_s = sorted(row.facts["first_audio_s"] for row in timeline.rows if "first_audio_s" in row.facts)
    if not firsts_s:
        return ""
    p95_ms = firsts_s[math.ceil(0.95 * len(firsts_s)) - 1] * 1000
    return f"first_audio_p95_ms = {max(1, math.ceil(p95_ms * _MARGIN))}"


def _sayable(arguments: JsonObject) -> JsonObject:
    """The arguments that TOML can say: it has no null."""
    return {name: value for name, value in arguments.items() if not _has_null(value)}


def _has_null(value: Any) -> bool:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_null, within))


def _toml(value: Any) -> str:
    """A value without null, as TOML writes it on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            sayable = value.encode(errors="replace").decode()
            return json.dumps(sayable, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            pairs = ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return f"[{', '.join(_toml(each) for each in value)}]"
        case _:
            return repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _toml(name)
