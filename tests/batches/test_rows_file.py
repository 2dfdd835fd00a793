"""Rows as they are read: lines of JSON and tables, with one message and the line for whatever cannot be a row."""

from pathlib import Path

import pytest

from runner.batches.batch_row import BatchRow
from runner.batches.rows_file import RowProblem, RowsFile
from runner.errors import UsageError

WIDE = b'{"id": 2, "input": "' + b"x" * (16 * 1024 * 1024) + b'"}'


def read(folder: Path, text: str | bytes, name: str = "rows.jsonl") -> list[BatchRow | RowProblem]:
    """The rows of a file with this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [*RowsFile(path)]


def test_lines_and_cells_say_the_same(tmp_path: Path) -> None:
    """Numbers as ids and values, empty lines, a mark at the beginning, CRLF and quotes; digests tell rows apart."""
    lines = (
        '\ufeff{"id": 17, "input": "Where is \\"it\\", please?", "variables": {"customer": "Ada", "age": 36}}\r\n'
        "\n"
        '{"id": "18", "input": {"file": "calls/18.wav"}}\n'
        '{"id": "19"}'
    )
    table = (
        "\ufeffid,input,input_file,customer,age\r\n"
        '17,"Where is ""it"", please?",,Ada,36\r\n'
        "18,,calls/18.wav,,\r\n"
        ",,,,\r\n"
        "19,,,,\r\n"
    )

    said = [each for each in read(tmp_path, lines) if isinstance(each, BatchRow)]
    told = [each for each in read(tmp_path, table, "rows.CSV") if isinstance(each, BatchRow)]

    assert [(each.id, each.text, each.file, each.variables) for each in said] == [
        ("17", 'Where is "it", please?', None, {"customer": "Ada", "age": "36"}),
        ("18", None, str(tmp_path / "calls" / "18.wav"), {}),
        ("19", None, None, {}),
    ]
    assert [each.line for each in said] == [1, 3, 4]
    assert [each.line for each in told] == [2, 3, 5]
    assert [each.digest for each in told] == [each.digest for each in said]
    assert len({each.digest for each in said}) == 3


def test_a_cell_of_several_lines_counts_from_its_first(tmp_path: Path) -> None:
    """So that a message names the line at which the row begins."""
    first, second = read(tmp_path, 'id,input\n1,"a\nb"\n2,c\n', "rows.csv")

    assert isinstance(first, BatchRow)
    assert isinstance(second, BatchRow)
    assert (first.text, first.line, second.line) == ("a\nb", 2, 4)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("{", 1, "is not JSON"),
        ("[1]", 1, "is no object"),
        (b'{"id": "\xff"}', 1, "is not UTF-8"),
        ('{"input": "Hello"}', 1, "id is missing"),
        ('{"id": ""}', 1, "id: must be a text of 1 to 200 characters, or a number"),
        ('{"id": true}', 1, "id: must be a text of 1 to 200 characters, or a number"),
        ('{"id": 1.5}', 1, "id: must be a text of 1 to 200 characters, or a number"),
        ('{"id": 1, "input": " "}', 1, "input: there is nothing to ask"),
        ('{"id": 1, "input": 5}', 1, 'input: must be a text, or {"file": "…"} for a recording'),
        ('{"id": 1, "input": {"path": "x"}}', 1, "input.file is missing"),
        ('{"id": 1, "input": {"file": "x", "pace": "fast"}}', 1, "unknown key input.pace"),
        ('{"id": 1, "inptu": "x"}', 1, "unknown key inptu"),
        (
            '{"id": 1, "variables": {"a": [1]}}',
            1,
            "variables.a: must be a text, a number, or true or false, in a table of variables",
        ),
        (b'{"id": 1}\n' + WIDE, 2, "is longer than 16777216 bytes"),
        ('{"id": 1, "input": NaN}', 1, 'input: must be a text, or {"file": "…"} for a recording'),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, text: str | bytes, line: int, problem: str) -> None:
    """With what is wrong, in words."""
    found = read(tmp_path, text)[-1]

    assert isinstance(found, RowProblem)
    assert (found.line, found.problem) == (line, problem)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("name,input\n1,a\n", 1, "there is no column id"),
        ("id;input\n1;a\n", 1, "there is no column id"),
        ("id,a,a\n1,2,3\n", 1, "two columns are called 'a'"),
        ("id,input\n1,a\n2\n", 3, "has 1 cells, and the header has 2"),
        ("id,input\n1,a,b\n", 2, "has 3 cells, and the header has 2"),
        ("id,input,input_file\n1,a,b.wav\n", 2, "has both input and input_file"),
        ('id,input\n1,"a\n2,b\n', 2, "is not CSV: unexpected end of data"),
        ('id,input\n1,"a"b\n', 2, "is not CSV: ',' expected after '\"'"),
        (b"id,input\n1,\xe4\n", 2, "is not UTF-8"),
        ("id,input\r1,a\r", 1, "is ended by a carriage return alone"),
        (b"id,input\n1," + WIDE, 2, "is longer than 16777216 bytes"),
        ("id,input\n,a\n", 2, "id: must be a text of 1 to 200 characters, or a number"),
    ],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str | bytes, line: int, problem: str) -> None:
    """With the line, that of the header too."""
    found = read(tmp_path, text, "rows.csv")[-1]

    assert isinstance(found, RowProblem)
    assert (found.line, found.problem) == (line, problem)


def test_a_cell_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    """The limit of Python's own reader is that of a text of JSON here."""
    (row,) = read(tmp_path, f"id,input\n1,{'x' * 1_000_000}\n", "rows.csv")

    assert isinstance(row, BatchRow)
    assert len(row.text or "") == 1_000_000


@pytest.mark.parametrize(("file", "whole"), [("~/a.wav", "/home/ada/a.wav"), ("~nobody/a.wav", "{}/~nobody/a.wav")])
def test_only_ones_own_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, whole: str) -> None:
    """The tilde of another user is a part of a name."""
    monkeypatch.setenv("HOME", "/home/ada")
    (row,) = read(tmp_path, f'{{"id": 1, "input": {{"file": "{file}"}}}}')

    assert isinstance(row, BatchRow)
    assert row.file == whole.format(tmp_path)


def test_a_hint_names_what_was_meant(tmp_path: Path) -> None:
    """A near key, and the commas that a table needs."""
    (key,) = read(tmp_path, '{"id": 1, "inptu": "x"}')
    (header,) = read(tmp_path, "id;input\n1;a\n", "rows.csv")

    assert isinstance(key, RowProblem)
    assert isinstance(header, RowProblem)
    assert (key.hint, header.hint) == ("did you mean input?", "columns are separated by commas")


def test_rows_are_in_a_file(tmp_path: Path) -> None:
    """A folder, a device and a name without a file are refused, since rows are read twice."""
    for path, said in ((tmp_path, "not a regular file"), (Path("/dev/null"), "not a regular"), (Path("no"), "no file")):
        with pytest.raises(UsageError, match=said):
            RowsFile(path)


def test_the_name_of_a_row_is_fit_for_a_file_and_no_other_rows() -> None:
    """An id that is no file's name gets a part of its digest."""
    names = [BatchRow(each, 1, "").name for each in ("17", "a/b", "a_b", "../x", ".x", "x" * 200)]

    assert names[0] == "17"
    assert names[2] == "a_b"
    assert len(set(names)) == len(names)
    assert all("/" not in each and not each.startswith(".") and len(each) < 100 for each in names)
    assert BatchRow("17", 1, "").again(2).name == "17~2"
