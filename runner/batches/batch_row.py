"""One row of a batch: what its session hears or is asked, and the values of its variables."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from runner.profile.filling import file_name
from runner.profile.variable_layers import text_of
from runner.protocol.json_text import dumps

_DIGEST_BYTES = 8
_DISTINCT_DIGITS = 6

RowKey = tuple[str, int]
"""The id of a row and the number of its run: there is one result for each."""


class RowModel(BaseModel):
    """A row as a line of JSON has it: the model behind `schemas/row.schema.json`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)


class RowFile(RowModel):
    """A recording."""

    file: Annotated[str, Field(min_length=1)]
    """WAV, and with the extra `audio` also FLAC, OGG and MP3; a relative path starts at the file of rows."""


class RowLine(RowModel):
    """One row of a batch, which is one session."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | StrictInt
    """What tells it from all other rows; a number counts as its digits."""
    input: Annotated[str, Field(pattern=r"\S")] | RowFile | None = None
    """What is asked, as text, or the recording that is heard; without it, the profile's own question or recording."""
    variables: dict[str, str | int | float | bool] = {}
    """Values of the profile's variables; numbers and booleans count as JSON writes them."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch, as a worker gets it."""

    id: str
    line: int
    """The line of the file at which it begins, from 1."""
    digest: str
    """A short hash of all that it says, by which a result knows its row."""
    text: str | None = None
    """What is asked."""
    file: str | None = None
    """The recording that is heard, with its whole path."""
    variables: dict[str, str] = field(default_factory=dict)
    run: int = 1
    """Which of its runs it is, from 1."""

    @property
    def key(self) -> RowKey:
        """What tells this run of the row from all others."""
        return self.id, self.run

    @property
    def name(self) -> str:
        """What `{row}` stands for in paths: the id, made fit for a file's name, and no other row's."""
        name = file_name(self.id)
        if name != self.id:
            name += "~" + hashlib.sha256(self.id.encode(errors="replace")).hexdigest()[:_DISTINCT_DIGITS]
        return name if self.run == 1 else f"{name}~{self.run}"

    def again(self, run: int) -> BatchRow:
        """The same row, for another run of it."""
        return self if run == self.run else replace(self, run=run)


def batch_row(said: RowLine, line: int, folder: Path) -> BatchRow:
    """A row as a worker gets it.

    Args:
        said: What the file says.
        line: Where it says so.
        folder: Where relative paths of recordings start.
    """
    text, file = (said.input, None) if isinstance(said.input, str) else (None, said.input and said.input.file)
    variables = {name: text_of(value) or "" for name, value in said.variables.items()}
    told = dumps([text, file, sorted(variables.items())]).encode()
    digest = hashlib.sha256(told).hexdigest()[: 2 * _DIGEST_BYTES]
    whole = os.path.join(folder, _with_home(file)) if file else None  # noqa: PTH118  # many times faster, for each row
    return BatchRow(str(said.id), line, digest, text, whole, variables)


def _with_home(file: str) -> str:
    """The path with the home directory in place of a leading `~/`; of anybody else's home nothing is known."""
    home = os.path.expanduser("~") if file.startswith("~/") else "~"  # noqa: PTH111  # Path.home() raises where there is none
    return file if home == "~" else home + file[1:]
