"""`rt-run init` writes profiles that pass `rt-run check`, and overwrites nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.cli.init_command import KINDS, profile_text
from runner.installation import install_command
from runner.profile import known_models
from runner.profile.builtin_profiles import builtin_profiles
from tests.conftest import REPOSITORY

TEMPLATES = REPOSITORY / "runner/cli/templates"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_check(rt_run: Any, tmp_path: Path, kind: str) -> None:
    """It has the line that editors read, its comments know its name, and what it still needs is a warning."""
    code, out, _ = rt_run("init", "mine", "--kind", kind)

    assert code == 0
    assert out.startswith("wrote profiles/mine.toml\nnext:\n")
    assert "\n  rt-run check mine\n  rt-run --profile mine" in out
    text = (tmp_path / "profiles/mine.toml").read_text()
    assert text.startswith("#:schema ../schemas/profile.schema.json\n")
    assert "rt-run --profile mine" in text
    assert f"--profile {kind}" not in text
    *warnings, last = rt_run("check", "mine").out.splitlines()
    assert last == "mine: ok"
    foreseen = ("is the address of an example", "there is no file", "not installed here")
    assert [each for each in warnings if not any(words in each for words in foreseen)] == []
    assert any("is the address of an example" in each for each in warnings) == kind.startswith("azure")


def test_the_kinds_are_all_that_there_are() -> None:
    """Each built-in profile, and each template."""
    assert sorted(KINDS) == sorted(path.stem for path in (*builtin_profiles(), *TEMPLATES.glob("*.toml")))


def test_a_new_profile_names_no_model_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table says that a template's model ends, its successor stands there, or that one's."""
    table = dict(known_models.known_models())
    ends = known_models.today() + timedelta(known_models.NOTICE_DAYS)
    models = {"gpt-realtime-2": "between", "between": "new", "gpt-transcribe": "heard", "gpt-realtime-2.1": "late"}
    for name, successor in models.items():
        late = timedelta(name == "gpt-realtime-2.1")
        table[name] = known_models.KnownModel(name, (), frozenset(), None, ends + late, successor)
    before = {kind: profile_text(kind, kind) for kind in KINDS}
    monkeypatch.setattr(known_models, "known_models", lambda: table)

    for kind, text in before.items():
        text = text.replace('"gpt-realtime-2"', '"new"').replace('"gpt-transcribe"', '"heard"')
        assert profile_text(kind, kind) == text
    assert known_models.lasting("gpt-realtime-2.1") == "gpt-realtime-2.1"


def test_only_what_is_missing_is_to_be_installed(rt_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that adds it here."""
    monkeypatch.setattr("runner.profile.readiness.find_spec", lambda name: object())
    there = rt_run("init", "a", "--kind", "openai-voice").out
    monkeypatch.setattr("runner.profile.readiness.find_spec", lambda name: None)
    lacking = rt_run("init", "b", "--kind", "openai-voice").out

    assert install_command("audio") not in there
    assert lacking.count(install_command("audio")) == 1


def test_elsewhere_it_is_called_by_its_path(rt_run: Any) -> None:
    """Where its name would not find it."""
    assert "\n  rt-run --profile x/mine.toml\n" in rt_run("init", "mine", "--kind", "local", "--dir", "x").out


def test_nothing_is_overwritten(rt_run: Any, tmp_path: Path) -> None:
    """The second time is a usage error."""
    rt_run("init", "mine", "--kind", "local", "--dir", "x")
    (tmp_path / "x/mine.toml").write_text("changed")

    code, _, err = rt_run("init", "mine", "--kind", "openai", "--dir", "x")

    assert code == 2
    assert "exists already" in err
    assert (tmp_path / "x/mine.toml").read_text() == "changed"


@pytest.mark.parametrize("name", ["../x", "", "a b", ".hidden"])
def test_a_name_is_no_path(rt_run: Any, name: str) -> None:
    """A profile lands where `--dir` says."""
    assert rt_run("init", name, "--kind", "local").code == 2


@pytest.mark.parametrize("name", ["openai", "openai-transcription", "azure-key"])
def test_the_examples_are_the_templates(name: str) -> None:
    """One text, in the two places that people find it."""
    assert (REPOSITORY / f"profiles/{name}.toml").read_text() == profile_text(name, name)
