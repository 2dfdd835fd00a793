"""How an extra is added depends on who has made the environment."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from runner.installation import install_command


@pytest.mark.parametrize(
    ("made", "command"),
    [
        ("pipx_metadata.json", "pipx runpip tool install 'rt-run[audio]'"),
        ("bin/pip", "'a b/tool/bin/pip' install 'rt-run[audio]'"),
        ("container-image", "podman build -f deploy/Containerfile --build-arg EXTRAS=audio -t rt-run ."),
        ("uv-receipt.toml", "uv pip install --python 'a b/tool' 'rt-run[audio]'"),
    ],
)
def test_the_command_fits_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, command: str
) -> None:
    """One of pipx, one with pip, one of uv, and an image."""
    file = tmp_path / "a b/tool" / made
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a b/tool"))

    assert install_command("audio") == command


def test_every_extra_that_is_named_exists(repository: Path) -> None:
    """In the program, and in the table of the README, which has all of them."""
    extras = set(tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    code = "".join(path.read_text() for path in (repository / "runner").rglob("*.py"))
    _, _, install = (repository / "README.md").read_text().partition("\n## Install\n")

    assert set(re.findall(r'install_command\("([a-z]+)"\)', code)) - extras == set()
    assert set(re.findall(r"^\| `([a-z]+)` \|", install.partition("\n## ")[0], re.MULTILINE)) == extras


def test_no_text_names_a_command_that_works_in_one_environment_only(repository: Path) -> None:
    """An extra is called by its name: what adds it depends on where rt-run is installed."""
    folders = ("runner", "docs", "profiles", "schemas")
    files = [repository / "README.md", *(each for folder in folders for each in (repository / folder).rglob("*.*"))]
    texts = {each: each.read_text() for each in files if each.suffix in {".md", ".py", ".toml", ".json", ".yml"}}

    assert [each.name for each, text in texts.items() if re.search(r"pip install '?\"?rt-run\[", text)] == []
