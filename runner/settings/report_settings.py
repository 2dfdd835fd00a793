"""What is told of a session when it has ended."""

from pydantic import Field

from runner.api.strict import Section
from runner.settings.output import PathTemplate


class ReportSettings(Section):
    """One JSON object for each session, written when it has ended; `schemas/report.schema.json` describes it."""

    path: PathTemplate = Field(min_length=1)
    """The file, a line for each report, appended to; may contain the placeholders of an output's path; folders are
    made."""

    @property
    def file_path(self) -> str:
        """The path of the file, with placeholders."""
        return self.path
