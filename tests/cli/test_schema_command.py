"""The committed schemas are those of the models, and accept what rt-run accepts."""

import json
from functools import cache
from typing import Any

import jsonschema
import pytest
import tomli

from runner.profile import load_profile
from runner.profile.json_schema import author_schema, effective_schema
from tests.conftest import REPOSITORY

PROFILES = sorted(REPOSITORY.glob("profiles/*.toml")) + sorted(REPOSITORY.glob("runner/cli/templates/*.toml"))


@cache
def author() -> jsonschema.Draft202012Validator:
    """What an editor checks a file by."""
    return jsonschema.Draft202012Validator(author_schema())


@cache
def effective() -> jsonschema.Draft202012Validator:
    """What all layers together are checked by."""
    return jsonschema.Draft202012Validator(effective_schema())


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ((), "profile"),
        (("--effective",), "effective"),
        (("--report",), "report"),
        (("--row",), "row"),
        (("--result",), "result"),
        (("--scenario",), "scenario"),
    ],
)
def test_the_committed_schema_is_current(rt_run: Any, flags: tuple[str, ...], name: str) -> None:
    """Regenerate it with `rt-run schema > schemas/profile.schema.json` (the other flags likewise)."""
    committed = (REPOSITORY / f"schemas/{name}.schema.json").read_text()

    assert rt_run("schema", *flags).out == committed
    jsonschema.Draft202012Validator.check_schema(json.loads(committed))


def test_every_scenario_fits() -> None:
    """Those that are checked in, by the schema that their first line names."""
    schema = jsonschema.Draft202012Validator(json.loads((REPOSITORY / "schemas" / "scenario.schema.json").read_text()))
    for path in REPOSITORY.glob("profiles/scenarios/*.toml"):
        schema.validate(tomli.loads(path.read_text()))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_example_fits(path: Any) -> None:
    """As its author writes it, and as it is in effect."""
    author().validate(tomli.loads(path.read_text()))
    effective().validate(load_profile(str(path), environ={}).profile.model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize(
    "text",
    [
        'extends = "base"\n[endpoint]\nbase_url = "https://x"\n',
        '[session]\ninstructions = { file = "x.md" }\n[session.audio.input]\nturn_detection = "none"\n',
        '[auth]\napi_key = { file = "/x" }\n',
    ],
)
def test_a_child_may_say_a_part(text: str) -> None:
    """Nothing is required of one file, except that tables in arrays are whole, since arrays replace."""
    author().validate(tomli.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        '[auth]\napi_key = "sk-x"\n',
        "[run]\ngrace = 1\n",
        "descripton = 'x'\n",
        "[session.audio.input]\nvoice = 'marin'\n",
        "[[outputs]]\nkind = 'events'\n",
        "[[outputs]]\npath = 'x'\n",
        "[[session.tools]]\ntype = 'function'\n",
    ],
)
def test_an_editor_sees_the_same_mistakes(text: str) -> None:
    """Literal secrets, unknown keys and tables in arrays that miss one are marked while typing."""
    with pytest.raises(jsonschema.ValidationError):
        author().validate(tomli.loads(text))


def test_a_whole_profile_needs_the_required_tables() -> None:
    """The effective schema has what the author's one leaves out."""
    with pytest.raises(jsonschema.ValidationError):
        effective().validate({"version": 1})
