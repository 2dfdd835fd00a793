"""Whether what happened in a session is what its scenario expects, and in which words it is told where not."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from runner.protocol.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from runner.protocol.json_fields import JsonObject
    from runner.scenarios.observations import Observation, Observations, ObservedKind
    from runner.scenarios.scenario import Absence, Expectation, Scenario

_KINDS: Final[dict[Absence, ObservedKind]] = {
    "answer": "agent",
    "call": "call",
    "interruption": "interruption",
    "error": "error",
}
_NAMES: Final[dict[ObservedKind, str]] = {"agent": "the agent", "user": "the user"}


def judged(scenario: Scenario, seen: Observations, *, reason: str, counts_time: bool) -> list[str]:
    """What is wrong with a run, in sentences that begin with the turn; nothing where all is as expected.

    Args:
        scenario: The scenario.
        seen: What happened.
        reason: Why the session has ended.
        counts_time: Whether `within_ms` counts.
    """
    problems: list[str] = []
    for index, turn in enumerate(scenario.turns):
        name = f"turn {index + 1}" + (f" ({_quoted(turn.user)})" if turn.user else "")
        noted = seen.turns[index] if index < len(seen.turns) else None
        if noted is None or (math.isinf(noted.said_s) and not noted.problem):
            problems.append(f"{name}: the session ended before it, because of {reason}")
            break
        if noted.problem:
            problems.append(f"{name}: {noted.problem}")
        problems += [f"{name}: {each}" for each in unmet(turn.expect, seen, index, counts_time=counts_time)]
        if noted.problem:
            break
    if scenario.end is not None and reason != scenario.end.reason:
        problems.append(f"end: the session was to end because of {scenario.end.reason}, and ended because of {reason}")
    return problems


def unmet(expected: Sequence[Expectation], seen: Observations, index: int, *, counts_time: bool = False) -> list[str]:
    """What of these expectations is not met in a turn by now, in words."""
    happened = seen.of_turn(index)
    said_s = seen.turns[index].said_s
    return [text for each in expected if (text := _unmet(each, happened, said_s if counts_time else math.inf))]


def transcript(seen: Observations) -> list[str]:
    """What happened, a line each."""
    lines = []
    for each in seen.all:
        match each.kind:
            case "call":
                lines.append(f"call: {each.text}({each.arguments})")
            case "output":
                lines.append(f"result of {each.arguments}: {each.text}")
            case kind:
                lines.append(f"{kind}: {each.text}")
    return lines


def _unmet(expected: Expectation, happened: Sequence[Observation], said_s: float) -> str:
    if expected.calls is not None:
        return _uncalled(expected, happened, said_s)
    if expected.absent is not None:
        found = [each for each in happened if each.kind == _KINDS[expected.absent]]
        return f"there was to be no {expected.absent}, and there is: {_quoted(found[0].text)}" if found else ""
    if expected.interrupted is not None:
        found = [each for each in happened if each.kind == "interruption"]
        if expected.interrupted and not found:
            return "an answer was to be interrupted, and none was"
        if found and not expected.interrupted:
            return f"no answer was to be interrupted, and {found[0].text}"
        return _late(found[:1], said_s, expected.within_ms, "the interruption")
    return _unsaid(expected, happened, said_s)


def _unsaid(expected: Expectation, happened: Sequence[Observation], said_s: float) -> str:
    who = _NAMES[expected.said_by]
    said = [each for each in happened if each.kind == expected.said_by]
    text = " ".join(each.text for each in said)
    words = _plain(text)
    if missing := [each for each in expected.text_contains if _plain(each) not in words]:
        told = f"and said {_quoted(text)}" if said else "and said nothing"
        return f"{who} was to say {' and '.join(map(_quoted, missing))}, {told}"
    if strange := [each for each in expected.text_excludes if _plain(each) in words]:
        return f"{who} was not to say {' or '.join(map(_quoted, strange))}, and said {_quoted(text)}"
    if expected.happens and not said:
        return f"{who} was to say something, and said nothing"
    return _late(said[:1], said_s, expected.within_ms, "what was said")


def _uncalled(expected: Expectation, happened: Sequence[Observation], said_s: float) -> str:
    calls = [each for each in happened if each.kind == "call"]
    found = [
        each
        for each in calls
        if each.text == expected.calls and _fits(expected.arguments, arguments_of(each.arguments))
    ]
    if found:
        return _late(found[:1], said_s, expected.within_ms, "the call")
    wanted = f"{expected.calls}({dumps(expected.arguments) if expected.arguments else ''})"
    made = ", ".join(f"{each.text}({each.arguments})" for each in calls)
    return f"{wanted} was to be called, and called was {made or 'nothing'}"


def _late(found: Sequence[Observation], said_s: float, within_ms: int | None, what: str) -> str:
    if within_ms is None or math.isinf(said_s) or not found:
        return ""
    took_ms = max(0.0, (found[0].at_s - said_s) * 1000)
    return f"{what} was to begin within {within_ms} ms, and took {took_ms:.0f} ms" if took_ms > within_ms else ""


def _fits(expected: dict[str, JsonValue], given: JsonObject) -> bool:
    return all(name in given and given[name] == value for name, value in expected.items())


def arguments_of(arguments: str) -> JsonObject:
    """The arguments of a call, nothing where they are no JSON object."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _quoted(text: str) -> str:
    return f'"{text}"'
