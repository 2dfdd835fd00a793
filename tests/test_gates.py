"""The checks that are not tests, as tests: types, lint, import directions, and what the documents promise."""

import argparse
import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runner.cli.main import _parser

pytestmark = pytest.mark.no_cover  # it runs checkers


def _check(repository: Path, *command: str) -> None:
    """Run a checker of this environment in the repository; what it says is the failure's message."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(program), *command[1:]],
        cwd=repository,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}", pytrace=False)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_types(repository: Path) -> None:
    """Types are strict over everything: the program, its tests, its benchmarks."""
    _check(repository, "mypy")


def test_lint(repository: Path) -> None:
    """No rule is broken that pyproject.toml selects."""
    _check(repository, "ruff", "check", "--no-fix", "--output-format=concise")


def test_format(repository: Path) -> None:
    """All code is laid out by one formatter."""
    _check(repository, "ruff", "format", "--check")


def test_import_directions(repository: Path) -> None:
    """Imports point one way, and the protocol does no I/O."""
    _check(repository, "lint-imports")


def test_dependencies(repository: Path) -> None:
    """What the program imports is declared, and what is declared is imported."""
    _check(repository, "deptry", ".")


def test_no_conflict_is_left(repository: Path) -> None:
    """What two changes have said of one line is one of them, or both."""
    found = subprocess.run(
        ["git", "grep", "-lE", "^(<{7}|>{7}) "], cwd=repository, capture_output=True, text=True, check=False
    )

    assert found.stdout == ""


def test_no_name_stands_for_two_things(repository: Path) -> None:
    """A module is known by its name alone, and so is a class, wherever it stands in the package."""
    files = [
        path for path in sorted((repository / "runner").rglob("*.py")) if path.stem not in {"__init__", "__main__"}
    ]
    classes = [
        node.name for path in files for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    ]

    assert [name for name, count in Counter(path.stem for path in files).items() if count > 1] == []
    assert [name for name, count in Counter(classes).items() if count > 1] == []


def test_every_module_is_short(repository: Path) -> None:
    """One responsibility fits into 300 lines."""
    files = (repository / "runner").rglob("*.py")

    assert [path.name for path in files if len(path.read_text().splitlines()) > 300] == []


def test_the_walks_name_modules_that_exist(repository: Path) -> None:
    """`docs/follow-one-event.md` and `docs/architecture.md` lead to files."""
    for document in ("follow-one-event.md", "architecture.md"):
        text = (repository / "docs" / document).read_text()
        named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text))
        missing = [each for each in named if not any((repository / root / each).exists() for root in ("", "runner"))]

        assert missing == [], document


def test_every_loss_has_a_test(repository: Path) -> None:
    """Each row of the table of losses names one that exists."""
    text = (repository / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\|.*\|$", _section(text, "What can be lost, and how its user learns of it"), re.MULTILINE)[2:]
    named = [re.search(r"`(tests/[a-z_/]+\.py)::(test_[a-z_]+)` \|$", row) for row in rows]

    assert [row for row, found in zip(rows, named, strict=True) if not found] == []
    missing = [
        found[0]
        for found in named
        if found and f"def {found[2]}(" not in (repository / found[1]).read_text().replace("async def", "def")
    ]
    assert missing == []


def _project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text())


def _section(text: str, heading: str) -> str:
    """The text of one section of a Markdown document."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    assert rest, f"there is no section {heading!r}"
    return rest.partition("\n## ")[0]


def test_the_quick_start_is_two_lines(repository: Path) -> None:
    """Whoever pastes the quick start pastes one of two lines; `.ci/run` does the same."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", _section((repository / "README.md").read_text(), "Quick start"), re.MULTILINE | re.DOTALL
    )

    assert [len(block.splitlines()) for block in blocks] == [2]
    first, second = blocks[0].splitlines()
    assert "rt-run --profile local" in first
    assert second.endswith("-m pytest")


def test_every_command_is_in_the_readme(repository: Path) -> None:
    """The table of commands is complete, and names none that does not exist."""
    table = _section((repository / "README.md").read_text(), "Commands")
    documented = set(re.findall(r"^\| `rt-run ([a-z][a-z-]*)", table, re.MULTILINE))
    (commands,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))

    assert documented == set(commands.choices)


def test_every_exit_code_is_in_the_readme(repository: Path) -> None:
    """The codes of the error tree, of signals, of a tool's failure and of scenarios are all explained."""
    from runner import errors

    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.RunnerError)]
    documented = set(re.findall(r"^\| ([0-9]+) \|", (repository / "README.md").read_text(), re.MULTILINE))

    assert documented == {str(each.exit_code) for each in kinds} | {"0", "1", "3", "129", "130"}


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/operations.md",
    "docs/architecture.md",
    "docs/follow-one-event.md",
    "docs/performance.md",
    "docs/releasing.md",
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(repository: Path, document: str) -> None:
    """Every relative link of a document is a file of the repository."""
    text = (repository / document).read_text()
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    missing = [target for target in targets if not ((repository / document).parent / target).exists()]

    assert missing == []


def test_the_locks_hold_what_the_project_asks_for(repository: Path) -> None:
    """Every dependency that pyproject.toml names is pinned with a hash where it is installed from."""
    project = _project(repository)
    run = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["azure"]
    dev = run + project["dependency-groups"]["dev"]
    bench = project["project"]["dependencies"] + project["dependency-groups"]["bench"]
    build = project["build-system"]["requires"]

    for lock, wanted in (("run", run), ("dev", dev), ("bench", bench), ("build", build)):
        pinned = _pinned((repository / "requirements" / f"{lock}.txt").read_text())
        names = {_normal(re.split(r"[<>=!~\[; ]", each)[0]) for each in wanted}
        assert names - set(pinned) == set(), f"requirements/{lock}.txt"


def test_what_is_developed_with_is_what_runs(repository: Path) -> None:
    """Both locks agree on every package that they share, so that the tests test what is deployed."""
    run, dev = (_pinned((repository / "requirements" / f"{lock}.txt").read_text()) for lock in ("run", "dev"))

    assert {name: dev.get(name) for name in run} == run


def _pinned(lock: str) -> dict[str, str]:
    """The names and versions of a lock, each of which must have a hash."""
    found = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]]+\])?==(\S+)(?: ;[^\n]*?)? \\\n +--hash=sha256:", lock, re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE)), "a line of the lock has no hash"
    return {_normal(name): version for name, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
