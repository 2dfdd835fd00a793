"""Texts and paths with the values of variables in them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runner import ProfileProblems, make_profile
from runner.cli.show_command import _values
from runner.profile import load_profile
from runner.profile.filling import filled, filled_for_show, path_values, with_values
from runner.protocol.session_update import session_update
from runner.redaction import MASK, redact

STARTED = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)


def profile_of(instructions: str, **variables: Any) -> Any:
    """A profile with these instructions and variables."""
    return make_profile(endpoint={"kind": "local"}, session={"instructions": instructions}, variables=variables)


def instructions_of(profile: Any) -> Any:
    """The instructions that a session of it sends."""
    return session_update(filled(profile, name="support", started=STARTED))["session"]["instructions"]


def test_a_value_stands_where_its_name_stands() -> None:
    """With spaces in the braces or without; what is no name stays, and nothing is looked at twice."""
    profile = profile_of(
        "{{a}} {{ b }} {{a}} { a } {{'a'}} {{profile}} {{date}}",
        a={"default": "{{b}}"},
        b={"default": r"\1 \g<0>"},
    )

    here = STARTED.astimezone()
    assert instructions_of(profile) == rf"{{{{b}}}} \1 \g<0> {{{{b}}}} {{ a }} {{{{'a'}}}} support {here:%Y-%m-%d}"
    assert instructions_of(profile_of("{{time}}")) == f"{here:%H:%M}"


def test_every_text_that_a_model_reads_is_filled_in_and_nothing_else_is_sent() -> None:
    """The instructions, the prompt of a transcription, the descriptions of tools and servers, and what is said."""
    tool = {"type": "function", "name": "look_up", "description": "Looks up {{a}}.", "parameters": {"x": "{{a}}"}}
    audio = {"input": {"transcription": {"model": "gpt-transcribe", "prompt": "of {{a}}"}}}
    session = {"instructions": "{{a}}", "tools": [tool], "tool_choice": "none", "audio": audio}
    profile = make_profile(endpoint={"kind": "local"}, session=session, variables={"a": {"default": "Ada"}})

    sent = session_update(filled(profile, name="", started=STARTED))["session"]
    tool |= {"description": "Looks up Ada."}
    audio["input"]["transcription"]["prompt"] = "of Ada"
    assert sent == session | {"type": "realtime", "instructions": "Ada"}

    run = {"kind": "hosted", "server_url": "https://crm.test", "description": "{{a}}'s"}
    server = {"name": "crm", "say": "Wait, {{a}}.", "run": run}
    own = make_profile(
        endpoint={"kind": "local"},
        variables={"a": {"default": "Ada"}},
        mcp_servers=[server],
        greeting={"text": "Hello {{a}}"},
        idle={"after_s": 5, "texts": ["{{a}}?"]},
    )
    ready = filled(own, name="", started=STARTED).model_dump(exclude_unset=True)
    assert (ready["greeting"]["text"], ready["idle"]["texts"]) == ("Hello Ada", ["Ada?"])
    assert ready["mcp_servers"][0]["say"] == "Wait, Ada."
    assert ready["mcp_servers"][0]["run"]["description"] == "Ada's"


def test_a_program_gives_values_and_learns_of_all_that_do_not_fit() -> None:
    """Each problem at once; a text, a number or a boolean is a value."""
    profile = profile_of("{{a}}{{b}}", a={"required": True}, b={"pattern": "[a-z]*"})

    assert instructions_of(with_values(profile, {"a": 5})) == "5"
    with pytest.raises(ProfileProblems) as raised:
        with_values(profile, {"aa": "", "b": "B", "a": []})
    assert [each.code for each in raised.value.problems] == ["variable-undeclared", "variable", "variable-value"]
    with pytest.raises(ProfileProblems, match="at most 10000"):
        with_values(profile, {"a": "x" * 10_001})


def test_a_missing_value_names_who_has_to_give_it() -> None:
    """What the variable is, the flag, the variable of the environment and the argument."""
    with pytest.raises(ProfileProblems) as raised:
        instructions_of(profile_of("{{a}}", a={"required": True, "description": "the order"}))

    (problem,) = raised.value.problems
    assert str(problem) == (
        "variables: a: a run has to give a value (the order); "
        "give --var a=… or RT_RUN_VAR_A, and in Python variables={'a': …}"
    )


def test_a_secret_value_is_shown_nowhere(tmp_path: Any) -> None:
    """Neither in the log, nor by `show`; the session has it."""
    (tmp_path / "p.toml").write_text(
        'version = 1\n[variables]\npin = { secret = true }\nnone = { required = true }\n[endpoint]\nkind = "local"\n'
        '[session]\ninstructions = "{{pin}} {{none}}"\n'
    )
    loaded = load_profile(tmp_path / "p.toml", variables=["pin=98127364"])
    shown = filled_for_show(loaded.profile, name="p", started=STARTED)

    assert instructions_of(with_values(loaded.profile, {"none": "x"})) == "98127364 x"
    assert redact("pin 98127364") == f"pin {MASK}"
    assert shown.session.instructions == f"{MASK} {{{{none}}}}"  # type: ignore[union-attr]  # it is a conversation
    assert "98127364" not in str(list(_values(loaded)))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Ada Lovelace", "Ada_Lovelace"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("李/四", "李_四"),
        ("", "_"),
        ("…", "_"),
        ("x" * 500, "x" * 80),
        ("é" * 500, "é" * 40),
        ("{started}", "_started_"),
    ],
)
def test_a_value_in_a_path_is_a_part_of_a_files_name(value: str, name: str) -> None:
    """It leads into no other folder, hides no file and is not too long."""
    assert path_values(profile_of("", a={"default": value})) == {"a": name}
