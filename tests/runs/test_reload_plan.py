"""What a reload changes in place, by another connection, at once, or not at all."""

from typing import Any

import pytest

from runner.profile import make_profile
from runner.profile.keys import dotted
from runner.protocol.session_update import session_update
from runner.runs.reload_plan import ReloadPlan, changed_keys, reload_plan, restart_keys
from runner.settings.profile import Profile

BEFORE: dict[str, Any] = {
    "endpoint": {"kind": "local"},
    "session": {
        "instructions": "Be kind",
        "audio": {"output": {"voice": "marin", "speed": 1.0}, "input": {"turn_detection": {"type": "server_vad"}}},
    },
}


def changed(*changes: dict[str, Any], **removed: str) -> Profile:
    """The profile above with these changes, and without these keys of its session."""
    tables = {name: dict(table) for name, table in BEFORE.items()}
    for change in changes:
        for name, value in change.items():
            tables[name] = {**tables.get(name, {}), **value} if isinstance(value, dict) else value
    for name in removed:
        del tables["session"][name]
    return make_profile(**tables)


def plan(*changes: dict[str, Any], wanted: dict[str, Any] | None = None, **removed: str) -> ReloadPlan:
    """The plan from the profile above to one with these changes, and without these keys of its session."""
    old = make_profile(**BEFORE)
    asked = session_update(old)["session"]
    return reload_plan(old, changed(*changes, **removed), {**asked, **(wanted or {})}, None)


def test_nothing_is_nothing() -> None:
    """The same file asks for nothing."""
    assert plan() == ReloadPlan({}, session_update(make_profile(**BEFORE))["session"], False, [])
    assert changed_keys(changed(), changed()) == []


def test_what_the_api_changes_is_changed_in_place() -> None:
    """Only what differs is sent; nested objects that the API lays over each other only in part, others whole."""
    audio = {"output": {"voice": "marin", "speed": 1.2}, "input": {"turn_detection": {"type": "semantic_vad"}}}
    found = plan({"session": {"instructions": "Be brief", "audio": audio, "tool_choice": "none"}})

    assert not found.moves
    assert found.update == {
        "instructions": "Be brief",
        "tool_choice": "none",
        "audio": {"output": {"speed": 1.2}, "input": {"turn_detection": {"type": "semantic_vad"}}},
    }
    assert found.asked["audio"] == audio


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "other"}},
        {"auth": {"kind": "none"}, "endpoint": {"kind": "custom", "base_url": "http://127.0.0.1:1/v1"}},
        {
            "session": {
                "audio": {"output": {"voice": "cedar", "speed": 1.0}, "input": BEFORE["session"]["audio"]["input"]}
            }
        },
        {"session": {"tracing": "auto"}},
    ],
)
def test_what_is_fixed_takes_another_connection(change: dict[str, Any]) -> None:
    """The endpoint and the model, a voice that was heard, a trace that has begun."""
    assert plan(change).moves


def test_what_the_profile_says_no_more_takes_another_connection() -> None:
    """It is the server's default again, which no update can ask for."""
    found = plan(instructions="")

    assert (found.moves, "instructions" in found.asked) == (True, False)


def test_what_somebody_has_changed_in_the_meantime_is_dropped() -> None:
    """It is named, and the profile holds again, whether or not it says something of it itself."""
    said = plan({"run": {"grace_s": 3}}, wanted={"instructions": "Be rude"})
    new = plan(wanted={"tool_choice": "none"})

    assert (said.dropped, said.update, said.moves) == (["instructions"], {"instructions": "Be kind"}, False)
    assert (new.dropped, new.moves) == (["tool_choice"], True)


def test_what_takes_a_restart_is_named() -> None:
    """All of it, without what follows from it; limits, the log and tools do not, and what is unknown here does."""
    tool = {"name": "look_up", "run": {"kind": "command", "argv": ["true"]}}
    new = changed(
        {
            "input": {"kind": "none"},
            "outputs": [],
            "journal": {"path": "{session}"},
            "run": {"sessions": 2, "grace_s": 1, "tools": {"max_rounds": 2}},
            "tools": [tool],
        },
        {"run": {"limits": {"max_turns": 3}}, "logging": {"level": "debug"}},
    )
    keys = changed_keys(make_profile(**BEFORE), new)
    restart, names = restart_keys(keys), {dotted(key) for key in keys}

    assert {key.partition(".")[0] for key in restart} == {"input", "outputs", "journal", "run"}
    assert {"input.kind", "journal", "run.sessions"} <= {*restart}
    assert not any(key.startswith(("input.f", "journal.")) for key in restart)
    at_once = {"run.grace_s", "run.limits.max_turns", "run.tools.max_rounds", "logging.level", "tools.look_up"}
    assert not at_once & set(restart)
    assert at_once <= names


def test_tools_change_in_place() -> None:
    """What rt-run offers is what the session object asks for; where nothing is left, nothing is offered."""
    old = make_profile(**BEFORE)
    asked, tools = session_update(old)["session"], [{"type": "function", "name": "look_up"}]

    first = reload_plan(old, old, asked, tools)
    last = reload_plan(old, old, first.asked, [])
    none = reload_plan(old, old, asked, [])

    assert (first.update, first.moves, first.dropped) == ({"tools": tools}, False, [])
    assert (last.update, last.moves, last.dropped) == ({"tools": []}, False, [])
    assert none == ReloadPlan({}, asked, False, [])
