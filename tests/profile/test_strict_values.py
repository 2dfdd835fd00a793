"""A file says numbers as numbers; flags and variables are text, whatever they mean. The JSON Schema says the same."""

from functools import cache
from typing import Any

import jsonschema
import pytest
import toml_rs
import tomli

from runner.profile import ProfileProblems
from runner.profile.json_schema import author_schema
from runner.profile.keys import Key
from runner.profile.model_keys import all_keys, slot_at
from tests.profile.conftest import OPENAI


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('[run]\ngrace_s = "10"', "run.grace_s: must be a number; write 10, without quotes"),
        ('[run]\ngrace_s = "10s"', "run.grace_s: must be a number; write 10, without quotes"),
        ('[run]\ngrace_s = "1.5 min"', "run.grace_s: must be a number; write 90, without quotes"),
        ('[run]\ngrace_s = "250ms"', "run.grace_s: must be a number; write 0.25, without quotes"),
        ('[run]\ngrace_s = "soon"', "run.grace_s: must be a number"),
        ("[run]\ngrace_s = true", "run.grace_s: must be a number"),
        ('[run]\nsessions = "2"', "run.sessions: must be a whole number; write 2, without quotes"),
        ("[run]\nsessions = 2.0", "run.sessions: must be a whole number; write 2"),
        ("[run]\nsessions = 2.5", "run.sessions: must be a whole number"),
        ('[journal]\npath = "j"\nmax_bytes = "64MiB"', "journal.max_bytes: must be a whole number; write 67108864"),
        ('[input]\nkind = "microphone"\npush_to_talk = "yes"', "push_to_talk: must be true or false; write true"),
        ('[input]\nkind = "microphone"\npush_to_talk = 0', "input.push_to_talk: must be true or false; write false"),
        ('[session.audio.input]\nturn_detection = { type = "server_vad", silence_duration_ms = "0.5s" }',
         "turn_detection.silence_duration_ms: must be a whole number; write 500, without quotes"),
        ('[run.limits.prices]\ninput_text = "4"', "run.limits.prices.input_text: must be a number; write 4"),
        ("version = true", "version: must not be true or false"),
        ('[input]\nkind = "microphone"\ndevice = true', "input.device: must be a whole number"),
        ('version = "1"', "version: must be 1; write 1, without quotes"),
    ],
)  # fmt: skip
def test_a_file_has_types(problems_of: Any, line: str, problem: str) -> None:
    """The hint is the number in the unit that the key's name says."""
    text = OPENAI.replace("version = 1", line) if line.startswith("version") else f"{OPENAI}{line}\n"
    (told,) = problems_of(text)

    assert problem in told


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("run.grace_s", "10", 10.0),
        ("run.grace_s", '"10"', 10.0),
        ("run.grace_s", " 2.5 ", 2.5),
        ("run.sessions", "2", 2),
        ("run.sessions", "'3'", 3),
        ("run.max_response_retries", "0", 0),
        ("session.parallel_tool_calls", "yes", True),
        ("session.parallel_tool_calls", "True", True),
        ("session.parallel_tool_calls", "0", False),
        ("session.max_output_tokens", "200", 200),
        ("session.max_output_tokens", "inf", "inf"),
    ],
)
def test_a_flag_or_a_variable_is_text(load: Any, key: str, text: str, value: Any) -> None:
    """As the shell or an `.env` file hands it over, quotes included."""
    variable = "RT_RUN_" + key.upper().replace(".", "__")
    for loaded in (load(OPENAI, f"{key}={text}"), load(OPENAI, **{variable: text})):
        found: Any = loaded.profile
        for part in key.split("."):
            found = getattr(found, part)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(("key", "text"), [("run.grace_s", "10s"), ("run.sessions", "two"), ("run.sessions", "1.5")])
def test_a_text_that_is_no_number_is_refused_from_everywhere(problems_of: Any, key: str, text: str) -> None:
    """With the name of the flag or the variable."""
    variable = "RT_RUN_" + key.upper().replace(".", "__")

    assert problems_of(OPENAI, f"{key}={text}")[0].startswith(f"--set {key}: must be a")
    assert problems_of(OPENAI, **{variable: text})[0].startswith(f"{variable}: {key}: must be a")


VALUES: tuple[Any, ...] = ("1", "true", "x", 1, 0, 1.5, True, [], ["1"], {})


@cache
def _schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(author_schema())


def _leaf_keys() -> list[Key]:
    found = []
    for key in all_keys():
        slot = slot_at(key)
        if slot and not slot.models and key[0] != "outputs" and not {"tools", "faults", "script"} & set(key):
            found.append(key)
    return found


@pytest.mark.parametrize("key", _leaf_keys(), ids=lambda key: ".".join(map(str, key)))
def test_what_a_file_may_say_fits_the_schema(load: Any, key: Key) -> None:
    """Whatever `check` takes, an editor that reads the schema takes too."""
    base = tomli.loads(OPENAI)
    for kind in ("azure", "custom", "local"):
        if key[:1] == ("endpoint",) and slot_at(key, base) is None:
            base["endpoint"] = {"kind": kind}
    if key[:2] == ("input", key[-1]):
        base["input"] = next(
            ({"kind": kind} for kind in ("stdin", "file", "microphone") if slot_at(key, {"input": {"kind": kind}})), {}
        )
    for value in VALUES:
        tree: Any = tomli.loads(toml_rs.dumps(base))
        table = tree
        for part in key[:-1]:
            table = table.setdefault(part, {})
        table[key[-1]] = value
        try:
            load(toml_rs.dumps(tree))
        except ProfileProblems:
            continue
        _schema().validate(tree)
