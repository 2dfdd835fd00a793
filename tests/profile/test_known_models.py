"""The table of models: `check` says what it says, and nothing that comes with rt-run names a model that ends soon."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from runner.cli.main import run
from runner.profile import LoadedProfile, ProfileProblems, known_models, load_profile
from runner.profile.known_models import NOTICE_DAYS, KnownModel, table_date

MODELS = list(known_models.known_models().values())
ENDING = [each for each in MODELS if each.ends]
HEAD = 'version = 1\n[endpoint]\nkind = "openai"\n[input]\nkind = "file"\npath = "talk.wav"\n'
REFUSALS = {"model-session", "model-lacks", "reasoning-unsupported", "turn-detection-unsupported"}


def profile_of(model: KnownModel) -> str:
    """A profile that uses a model as it is meant to be used, on OpenAI."""
    kind = model.sessions[0]
    if kind == "transcription":
        detection = "" if "turn_detection" in model.takes else 'turn_detection = "none"\n'
        heard = f'[session.audio.input]\ntranscription = {{ model = "{model.name}" }}\n{detection}'
        return f'{HEAD}[session]\ntype = "transcription"\n{heard}'
    return f'{HEAD}[model]\nname = "{model.name}"\n[session]\ntype = "{kind}"\n'


def codes_of(load: Callable[..., LoadedProfile], text: str) -> set[str]:
    """The codes of what there is to say of a profile."""
    try:
        return {each.code for each in load(text).warnings}
    except ProfileProblems as error:
        return {each.code for each in error.problems}


@pytest.fixture
def load_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[KnownModel, date], LoadedProfile]:
    """Load a profile of a model on a certain day."""

    def load(model: KnownModel, day: date) -> LoadedProfile:
        monkeypatch.setattr(known_models, "today", lambda: day)
        (tmp_path / "p.toml").write_text(profile_of(model))
        return load_profile("p.toml", environ={})

    return load


@pytest.mark.parametrize("model", [each for each in MODELS if "live" not in each.sessions], ids=lambda each: each.name)
def test_a_profile_of_each_model_is_judged_by_the_table(
    load_on: Callable[[KnownModel, date], LoadedProfile], model: KnownModel
) -> None:
    """Nothing is said long before its end, then that it ends and what follows, and afterwards that it has ended."""
    ends = model.ends
    if ends is None:
        assert load_on(model, date(2030, 1, 1)).warnings == []
        return
    assert load_on(model, ends - timedelta(NOTICE_DAYS + 1)).warnings == []
    told = [*load_on(model, ends - timedelta(1)).warnings, *load_on(model, ends).warnings]
    assert [each.code for each in told] == ["model-ending", "model-ended"]
    assert all(str(ends) in each.problem and each.hint == f"use {model.successor}" for each in told)


@pytest.mark.parametrize("model", [each for each in MODELS if "live" not in each.sessions], ids=lambda each: each.name)
def test_check_says_of_each_model_what_the_table_says_it_takes(
    load: Callable[..., LoadedProfile], model: KnownModel
) -> None:
    """Each field that not every model takes, and each kind of session."""
    named = f'{HEAD}[model]\nname = "{model.name}"\n[session]\n'
    heard = f'{HEAD}[session]\ntype = "transcription"\n[session.audio.input]\nturn_detection = '
    words = f'"none"\ntranscription = {{ model = "{model.name}"'
    profiles = {
        "realtime": named,
        "translation": f'{named}type = "translation"\n',
        "transcription": f"{heard}{words} }}\n",
    }
    if "realtime" in model.sessions:
        profiles["reasoning"] = f'{named}reasoning = {{ effort = "low" }}\n'
    if "transcription" in model.sessions:
        profiles["turn_detection"] = heard + words.replace('"none"', '{ type = "server_vad" }') + " }\n"
        fields = {"delay": '"low"', "keywords": '["Bern"]', "languages": '["de"]', "prompt": '"Bern"'}
        profiles |= {name: f"{heard}{words}, {name} = {value} }}\n" for name, value in fields.items()}

    taken = {name for name, text in profiles.items() if not codes_of(load, text) & REFUSALS}

    assert taken == {*model.sessions, *model.takes}


def test_check_refuses_a_model_that_has_ended_on_openai_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway may have another model under its name."""
    monkeypatch.setattr(known_models, "today", lambda: date(2028, 1, 1))
    model = known_models.known_models()["gpt-realtime"]
    gateway = profile_of(model).replace('"openai"', '"custom"\nbase_url = "https://gw.test/v1"')
    (tmp_path / "talk.wav").touch()
    (tmp_path / "own.toml").write_text(profile_of(model))
    (tmp_path / "gateway.toml").write_text(gateway)

    assert run(["check", "./own.toml"]) == 78
    assert run(["check", "./gateway.toml"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "own.toml:8:8: model.name: gpt-realtime was shut down on 2027-01-20; use gpt-realtime-2.1"
    assert said[2].startswith("warning: gateway.toml:9:8: model.name")


def test_nothing_that_comes_with_rt_run_names_a_model_that_ends_soon(repository: Path) -> None:
    """Neither profiles and templates nor README and docs, by the date of the table."""
    late = {each.name for each in ENDING if each.ends and each.ends - table_date() <= timedelta(NOTICE_DAYS)}
    files = [
        repository / "README.md",
        repository / "runner" / "local" / "server" / "app.py",
        *(repository / "profiles").glob("*.toml"),
        *(repository / "runner" / "profile" / "builtin").glob("*.toml"),
        *(repository / "runner" / "cli" / "templates").glob("*.toml"),
        *(repository / "docs" / "examples").glob("*.py"),
        *(path for path in (repository / "docs").glob("*.md") if path.name != "models.md"),
    ]
    named = {(path.name, name) for path in files for name in re.findall(r"[\w.-]+", path.read_text())}

    assert late
    assert [(path, name) for path, name in sorted(named) if name in late] == []


def test_the_table_is_documented(repository: Path) -> None:
    """Each model has its row, with its end and what follows; successors are models that stay."""
    rows = (repository / "docs" / "models.md").read_text().splitlines()

    assert f"as of {table_date()}" in rows[2]
    for model in MODELS:
        (row,) = (each for each in rows if each.startswith(f"| `{model.name}` |"))
        cells = [each.strip() for each in row.strip("|").split("|")]
        assert cells[1] == ", ".join(model.sessions)
        assert set(re.findall(r"`(\w+)`", cells[2])) == model.takes
        assert cells[3:] == ([str(model.ends), f"`{model.successor}`"] if model.ends else ["-", "-"])
        assert not model.ends or not known_models.known_models()[model.successor].ends
