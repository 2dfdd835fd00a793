"""What the tests of profiles share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.profile import LoadedProfile, ProfileProblems, load_profile

OPENAI = """\
version = 1
[endpoint]
kind = "openai"
[model]
name = "gpt-realtime-2"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that files are named relative to it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file below the working directory."""

    def writer(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return writer


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., LoadedProfile]:
    """Load a profile from its text, with flags and an environment."""

    def loader(text: str, *sets: str, **environ: str) -> LoadedProfile:
        (tmp_path / "p.toml").write_text(text)
        return load_profile("p.toml", sets=sets, environ=environ)

    return loader


@pytest.fixture
def problems_of(load: Callable[..., LoadedProfile]) -> Callable[..., list[str]]:
    """The problems of a profile as lines."""

    def finder(text: str, *sets: str, **environ: str) -> list[str]:
        with pytest.raises(ProfileProblems) as raised:
            load(text, *sets, **environ)
        assert str(raised.value) == "\n".join(map(str, raised.value.problems))
        return [str(each) for each in raised.value.problems]

    return finder
