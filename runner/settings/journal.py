"""The record of everything that a session sends and receives."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.output import PathTemplate, QueueBytes


class JournalSettings(Section):
    """A file of every event in both directions, one JSON object a line; `rt-run replay` reads it."""

    path: PathTemplate
    """The file, appended to; may contain the placeholders of an output's path; folders are made."""
    audio: Literal["hash", "keep"] = "hash"
    """`hash` reduces audio to its length and a hash, `keep` writes it as it is."""
    max_bytes: Annotated[int, Field(ge=65536)] = 64 * 1024 * 1024
    """A file that would grow beyond this, in bytes, is set aside with a number, and a new one begun."""
    keep: Annotated[int, Field(ge=1, le=10_000)] = 10
    """How many files are kept, the one being written included."""
    flush_interval_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """How long a record may wait to be written, in seconds."""
    max_queue_bytes: QueueBytes = 64 * 1024 * 1024
    """How far a slow disk may fall behind before the session ends with an error, in bytes."""

    @property
    def file_path(self) -> str:
        """The path of the file, with placeholders."""
        return self.path
