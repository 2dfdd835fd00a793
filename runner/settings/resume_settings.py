"""Where a session is written down, so that another process can go on with it."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section
from runner.settings.output import PathTemplate


class ResumeSettings(Section):
    """A file of its own for each session, which the next start goes on from; `rt-run --fresh` begins anew."""

    path: PathTemplate
    """The file; may contain `{profile}`, `{session}` and the profile's variables; folders are made."""
    max_bytes: Annotated[int, Field(ge=65536, le=1 << 30)] = 8 * 1024 * 1024
    """How large the file may grow, in bytes: it is rewritten before, without what has been replaced, and where the
    conversation takes more than half of it, without its oldest items."""

    @property
    def file_path(self) -> str:
        """The path of the file, with placeholders."""
        return self.path
