"""`rt-run init` writes profiles that pass `rt-run check`, and overwrites nothing."""

from pathlib import Path
from typing import Any

import pytest

from runner.cli.init_command import KINDS
from tests.conftest import REPOSITORY

TEMPLATES = REPOSITORY / "runner/cli/templates"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_check(rt_run: Any, tmp_path: Path, kind: str) -> None:
    """And has the line that editors read."""
    code, out, _ = rt_run("init", "mine", "--kind", kind)

    assert code == 0
    assert out.startswith("wrote profiles/mine.toml\nnext:\n")
    assert (tmp_path / "profiles/mine.toml").read_text().startswith("#:schema ../schemas/profile.schema.json\n")
    *warnings, last = rt_run("check", "mine").out.splitlines()
    assert last == "mine: ok"
    assert len(warnings) == kind.startswith("azure")
    assert all("endpoint.base_url: contoso.openai.azure.com is the address of an example" in each for each in warnings)


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


@pytest.mark.parametrize("name", ["local", "openai", "openai-transcription", "azure-key"])
def test_the_examples_are_the_templates(name: str) -> None:
    """One text, in the two places that people find it."""
    assert (REPOSITORY / f"profiles/{name}.toml").read_text() == (TEMPLATES / f"{name}.toml").read_text()
