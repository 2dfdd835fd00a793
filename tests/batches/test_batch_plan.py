"""Rows judged before the first one runs, and which of them are left."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.batches.batch_plan import BatchPlan
from runner.batches.batch_row import BatchRow
from runner.batches.row_profile import shared_file_problems
from runner.batches.rows_file import RowsFile
from runner.errors import UsageError
from runner.profile import LoadedProfile, load_profile

PROFILE = """
version = 1
[endpoint]
kind = "local"
[session]
output_modalities = ["text"]
instructions = "Speak to {{customer}}."
[variables]
customer = { required = true, max_length = 5 }
"""
TRANSCRIPTION = """
version = 1
[endpoint]
kind = "local"
[session]
type = "transcription"
[session.audio.input]
transcription = { model = "gpt-transcribe" }
"""


def loaded(folder: Path, text: str = PROFILE) -> LoadedProfile:
    """A profile."""
    path = folder / "test.toml"
    path.write_text(text)
    return load_profile(str(path), environ={})


def plan(folder: Path, *rows: dict[str, Any], profile: str = PROFILE, **settings: Any) -> BatchPlan:
    """The plan of these rows."""
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return BatchPlan(RowsFile(path), loaded(folder, profile), **settings)


def row(row_id: str, **changes: Any) -> dict[str, Any]:
    """A row that asks Ada something."""
    return {"id": row_id, "input": "Hello", "variables": {"customer": "Ada"}, **changes}


def told(made: BatchPlan, done: dict[tuple[str, int], str] | None = None) -> list[str]:
    """What is wrong with rows, a line each, without the folder."""
    with pytest.raises(UsageError) as raised:
        made.check(Path("results.jsonl"), done or {})
    return [each.rpartition("/")[2] for each in f"{raised.value.message}".splitlines()]


def test_what_is_wrong_is_told_once_with_its_first_line(tmp_path: Path) -> None:
    """Everything in one round, however many rows have it."""
    made = plan(
        tmp_path,
        row("1"),
        row("2", variables={"customer": "Ada", "custmer": "x"}),
        row("3", variables={"customer": "Adalbert"}),
        row("4", variables={}),
        row("5", variables={}),
        row("1", input="again"),
        row("6", input={"file": "no.wav"}),
        row("8", input={"file": f"{'x' * 300}/no.wav"}),
        {"id": "7", "variables": {"customer": "Ada"}},
    )

    lines = told(made)

    assert lines[0] == "rows.jsonl:2: the profile has no variable 'custmer'; did you mean customer?"
    assert lines[1].startswith("rows.jsonl:3: variables.customer: must have at most 5 characters, and has 8")
    assert lines[2].startswith("rows.jsonl:4: variables.customer: a run has to give a value (and in 1 more rows); ")
    assert lines[3] == "rows.jsonl:6: the id '1' stands in line 1 already; every row has an id of its own"
    assert lines[4].startswith("no.wav; a relative path starts at the file of rows")
    assert lines[5] == "no.wav; a relative path starts at the file of rows"
    assert lines[6].startswith("rows.jsonl:9: input is missing, and the profile's own is stdin")
    assert len(lines) == 7


def test_a_session_that_only_listens_takes_no_text(tmp_path: Path) -> None:
    """A recording is what it takes."""
    made = plan(tmp_path, {"id": "1", "input": "Hello"}, profile=TRANSCRIPTION)

    assert told(made)[0].startswith("rows.jsonl:1: input: a transcription session takes audio, not text; ")


def test_no_row_is_no_batch(tmp_path: Path) -> None:
    """An empty file is told."""
    assert told(plan(tmp_path)) == ["rows.jsonl: there is no row in it"]


def test_results_are_those_of_these_rows(tmp_path: Path) -> None:
    """A row that says something else, or is gone, has its results in another file."""
    first, second = RowsFile(plan(tmp_path, row("1"), row("2"))._file.path)
    assert isinstance(first, BatchRow)
    assert isinstance(second, BatchRow)

    made = plan(tmp_path, row("1"), row("2"), row("3"))
    assert made.check(Path("r"), {first.key: first.digest}) == 3
    assert [each.id for each in made.pending({first.key: first.digest})] == ["2", "3"]
    assert (
        "the row says something else than when its result was written to results.jsonl"
        in told(made, {("1", 1): "x"})[0]
    )
    with pytest.raises(UsageError, match=r"has a result of the row '9', which .*rows.jsonl does not have"):
        made.check(Path("r"), {("9", 1): "x"})


def test_some_rows_and_each_several_times(tmp_path: Path) -> None:
    """The first ones of the file; what there is beyond counts as it is."""
    made = plan(tmp_path, *(row(str(number)) for number in range(5)), limit=2, repeat=2)
    digest = next(iter(made.pending({}))).digest

    assert made.check(Path("r"), {}) == 4
    assert [each.key for each in made.pending({("0", 2): digest})] == [("0", 1), ("1", 1), ("1", 2)]
    assert made.check(Path("r"), {("0", 2): digest}) == 4


def test_a_file_that_has_changed_is_noticed(tmp_path: Path) -> None:
    """It is read again while the batch runs."""
    made = plan(tmp_path, row("1"), row("2"))
    rows = made.pending({})
    next(rows)
    (tmp_path / "rows.jsonl").write_text("{}\n")

    with pytest.raises(UsageError, match=r"rows.jsonl:1: id is missing; the file has changed"):
        next(made.pending({}))


def test_files_are_each_rows_own(tmp_path: Path) -> None:
    """A path that all rows share is a problem of the profile, at its place."""
    text = PROFILE + '[[outputs]]\nkind = "transcript"\npath = "{profile}.jsonl"\n[[outputs]]\nkind = "events"\n'
    text += 'path = "{row}.jsonl"\n[journal]\npath = "{customer}.jsonl"\n'

    (problem,) = shared_file_problems(loaded(tmp_path, text))

    assert (problem.key, problem.line, problem.code) == ("outputs.0.path", 12, "rows-share-file")


@pytest.mark.parametrize("path", ["{session}.jsonl", "{customer}.jsonl"])
def test_files_are_each_runs_own(tmp_path: Path, path: str) -> None:
    """A row that is repeated has one line, and the same values each time."""
    made = loaded(tmp_path, f'{PROFILE}[journal]\npath = "{path}"\n')

    (problem,) = shared_file_problems(made, repeat=2)

    assert not shared_file_problems(made)
    assert (problem.key, problem.problem) == ("journal.path", "all runs of a row would write this file")


def test_values_that_rows_share_make_no_file_of_their_own(tmp_path: Path) -> None:
    """Nor do values that are the same as a part of a file's name; the first row has it."""
    text = f'{PROFILE}[[outputs]]\nkind = "transcript"\npath = "{{customer}}.md"\n'
    rows = [row("1"), row("2", variables={"customer": "a/b"}), row("3"), row("4", variables={"customer": "a_b"})]

    assert told(plan(tmp_path, *rows, profile=text)) == [
        "rows.jsonl:3: outputs.0.path: another row writes the same file (and in 1 more rows); put {row} into its name"
    ]
