"""The rows of a batch on the disk: lines of JSON, or a table of comma-separated values, read a row at a time."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from runner.batches.batch_row import BatchRow, RowFile, RowLine, batch_row
from runner.errors import UsageError, reason_of
from runner.profile.suggestion import nearest
from runner.protocol.json_text import loads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_BOM: Final = b"\xef\xbb\xbf"
_MOST_LINE_BYTES: Final = 16 * 1024 * 1024
_TOO_LONG: Final = f"is longer than {_MOST_LINE_BYTES} bytes"
_KEYS: Final = [*RowLine.model_fields, *RowFile.model_fields]
_KINDS: Final = {
    "id": "a text of 1 to 200 characters, or a number",
    "input": 'a text, or {"file": "…"} for a recording',
    "variables": "a text, a number, or true or false, in a table of variables",
}
_COLUMNS: Final = ("id", "input", "input_file")


class RowProblem(NamedTuple):
    """What is wrong with a row."""

    line: int
    problem: str
    hint: str = ""


class RowsFile:
    """The rows of a batch, which can be read again and again; no more than one of them is held.

    Args:
        path: A file whose name ends in `.csv`, or else of one JSON object a line.

    Raises:
        UsageError: There is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path.absolute().parent
        if not path.is_file():
            msg = f"there is no file {path}" if not path.exists() else f"{path} is not a regular file"
            raise UsageError(msg, hint="rows are read twice, so they are in a file of JSON lines, or in one of CSV")

    def __iter__(self) -> Iterator[BatchRow | RowProblem]:
        """All rows, and in the place of each that cannot be read what is wrong with it.

        Raises:
            UsageError: The file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._table(file) if self.path.suffix.lower() == ".csv" else self._lines(file)
        except OSError as error:
            msg = f"{self.path} cannot be read: {reason_of(error)}"
            raise UsageError(msg) from None

    def _lines(self, file: BinaryIO) -> Iterator[BatchRow | RowProblem]:
        number = 0
        while line := file.readline(_MOST_LINE_BYTES + 1):
            number += 1
            line = line.removeprefix(_BOM) if number == 1 else line
            if len(line) > _MOST_LINE_BYTES:
                yield RowProblem(number, _TOO_LONG)
                return
            if line.strip():
                yield self._row_of_line(line, number)

    def _row_of_line(self, line: bytes, number: int) -> BatchRow | RowProblem:
        try:
            data = loads(line)
        except UnicodeDecodeError:
            return RowProblem(number, "is not UTF-8")
        except ValueError:
            return RowProblem(number, "is not JSON", 'such as {"id": "1", "input": "Hello"}')
        if not isinstance(data, dict):
            return RowProblem(number, "is no object", 'such as {"id": "1", "input": "Hello"}')
        return self._row(data, number)

    def _table(self, file: BinaryIO) -> Iterator[BatchRow | RowProblem]:
        texts = _Texts(file)
        csv.field_size_limit(_MOST_LINE_BYTES)
        reader = csv.reader(texts, strict=True)
        header: list[str] = []
        begins = 1
        try:
            for cells in reader:
                if not any(cells):
                    pass  # an empty line, such as spreadsheets leave at the end
                elif not header:
                    header = [each.strip() for each in cells]
                    if problem := _header_problem(header, begins):
                        yield problem
                        return
                elif len(cells) != len(header):
                    yield RowProblem(begins, f"has {len(cells)} cells, and the header has {len(header)}")
                else:
                    yield self._row_of_cells(dict(zip(header, cells, strict=True)), begins)
                begins = reader.line_num + 1
        except UnicodeDecodeError:
            yield RowProblem(texts.number, "is not UTF-8", "save it as CSV in UTF-8")
        except csv.Error as error:
            yield _table_problem(error, begins)

    def _row_of_cells(self, cells: dict[str, str], number: int) -> BatchRow | RowProblem:
        text, file = cells.get("input", ""), cells.get("input_file", "")
        if text and file:
            return RowProblem(
                number, "has both input and input_file", "a row is asked a question, or hears a recording"
            )
        # A table cannot tell an empty text from none.
        variables = {name: value for name, value in cells.items() if name not in _COLUMNS and value}
        heard: Any = {"file": file} if file else text or None
        return self._row({"id": cells["id"], "input": heard, "variables": variables}, number)

    def _row(self, data: dict[str, Any], number: int) -> BatchRow | RowProblem:
        try:
            return batch_row(RowLine.model_validate(data), number, self._folder)
        except ValidationError as error:
            return _problem(error, number)


class _Texts:
    """The lines of a file as texts, without the mark at its beginning; `number` is that of the last one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_MOST_LINE_BYTES + 1):
            self.number += 1
            if len(line) > _MOST_LINE_BYTES:
                raise csv.Error(_TOO_LONG)
            yield (line.removeprefix(_BOM) if self.number == 1 else line).decode()


def _header_problem(header: list[str], line: int) -> RowProblem | None:
    doubled = next((each for each in header if header.count(each) > 1), None)
    if doubled is not None:
        return RowProblem(line, f"two columns are called {doubled!r}")
    if "id" in header:
        return None
    is_otherwise = len(header) == 1 and any(each in header[0] for each in ";\t")
    hint = "columns are separated by commas" if is_otherwise else "the first line names the columns: id, input, …"
    return RowProblem(line, "there is no column id", hint)


def _table_problem(error: csv.Error, line: int) -> RowProblem:
    """What keeps a table from being read on."""
    text = str(error)
    if text == _TOO_LONG:
        return RowProblem(line, text)
    if text.startswith("new-line character"):
        return RowProblem(line, "is ended by a carriage return alone", "save it with the line ends of Unix or Windows")
    hint = "a quote is doubled within quotes, and a cell that begins with one ends with one"
    return RowProblem(line, f"is not CSV: {text}", hint)


def _problem(error: ValidationError, line: int) -> RowProblem:
    """The first thing that is wrong with a row, in words."""
    errors = error.errors(include_url=False, include_input=False)
    # Of a key that takes several kinds, the table's own problem says more than that it is no text.
    wrong = next((each for each in errors if "RowFile" in each["loc"] and each["type"] != "model_type"), errors[0])
    named = [str(each) for each in wrong["loc"] if each != "RowFile"]
    top, name = named[0], named[-1]
    if wrong["type"] == "extra_forbidden":
        near = nearest(name, _KEYS)
        hint = f"did you mean {near[0]}?" if near else "values of variables stand in `variables`"
        return RowProblem(line, f"unknown key {'.'.join(named)}", hint)
    if wrong["type"] == "missing":
        return RowProblem(
            line, f"{'.'.join(named)} is missing", "every row has an id of its own" if top == "id" else ""
        )
    if top == "input" and "RowFile" not in wrong["loc"] and wrong["type"] == "string_pattern_mismatch":
        return RowProblem(line, "input: there is nothing to ask")
    return RowProblem(line, f"{_whole(named)}: must be {_KINDS.get(top, 'something else')}")


def _whole(named: list[str]) -> str:
    """The key that is meant, without what pydantic adds for kinds of values."""
    return ".".join(named[:2]) if named[0] == "variables" else named[0]
