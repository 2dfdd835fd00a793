"""What is built and given away: a source distribution and a wheel, made once."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it runs other programs

pytest.importorskip("hatch_vcs", reason="the build's version comes from git by hatch-vcs")


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)],
        cwd=repository,
        # What the build would write beside the modules, other tests are importing.
        env={**os.environ, "HATCH_BUILD_NO_HOOKS": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return folder


def test_the_source_distribution_is_the_repository(repository: Path, built: Path) -> None:
    """It holds every file that git tracks, so that who has it can run the tests and the benchmarks."""
    if not (repository / ".git").exists():
        pytest.skip("not a checkout of git")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True)

    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert set(tracked.stdout.split("\0")) - {""} - held == set()


def test_the_wheel_is_whole(built: Path, tmp_path: Path) -> None:
    """In a folder with nothing but the wheel, the built-in profiles and the kinds of `init` are there."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        archive.extractall(tmp_path / "wheel")  # noqa: S202  # we have just made it
        assert "runner/py.typed" in archive.namelist()
        assert [name for name in archive.namelist() if not name.startswith(("runner/", "rt_run-"))] == []
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from runner.cli.main import run\n"
        "lines = 'init mine --kind openai', 'check local', '-q -p local --ask Hello'\n"
        "codes = [run(line.split()) for line in lines]\n"
        "import runner; print(codes, runner.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "wheel")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "wrote profiles/mine.toml" in done.stdout
    assert "Hello! I am the local endpoint." in done.stdout
    assert done.stdout.endswith(f"[0, 0, 0] {tmp_path}/wheel/runner/__init__.py\n")


def test_without_git_the_version_is_that_of_the_last_release(repository: Path) -> None:
    """Which the changelog knows."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    released = re.findall(r"^## \[(\d[^]]*)\]", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert project["tool"]["hatch"]["version"]["fallback-version"] == released[0]
