"""The variables of a profile: declared names whose values a run gives."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from runner.api.strict import Section

BUILT_IN = ("date", "time", "profile")
"""The names that texts may use without a declaration."""
LONGEST = 10_000
"""The longest value that a variable may allow, in characters."""


def _plain(value: str) -> str:
    """The value without control characters; line breaks and tabs become spaces, so that no words run together."""
    return "".join(
        each if unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"} else " " if each.isspace() else ""
        for each in value
    )


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        msg = f"is no regular expression: {error}"
        raise ValueError(msg) from None
    return value


VariableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Variable(Section):
    """A text that a run gives: by `--var`, `--vars`, `RT_RUN_VAR_…` or a program."""

    description: str = ""
    """What it is, for those who give it."""
    default: Annotated[str, Field(max_length=LONGEST), AfterValidator(_plain)] | None = None
    """The value where a run gives none; without it that is an empty text."""
    required: bool = False
    """Whether a run must give a value, unless there is a default."""
    pattern: Annotated[str, Field(max_length=1000), AfterValidator(_pattern)] | None = None
    """A regular expression that the whole value matches."""
    min_length: Annotated[int, Field(ge=0, le=LONGEST)] = 0
    """The fewest characters of the value."""
    max_length: Annotated[int, Field(ge=1, le=LONGEST)] = 1000
    """The most characters of the value."""
    secret: bool = False
    """Whether the value is kept out of logs, reports and `rt-run show`; the model reads it all the same."""

    @property
    def is_missing(self) -> bool:
        """Whether a value is required and there is none."""
        return self.required and self.default is None

    @property
    def misfit(self) -> str:
        """What is wrong with the value, nothing where it fits or there is none."""
        value = self.default
        if value is None:
            return ""
        if not self.min_length <= len(value) <= self.max_length:
            bounds = f"{self.min_length} to {self.max_length}" if self.min_length else f"at most {self.max_length}"
            return f"must have {bounds} characters, and has {len(value)}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"must match {self.pattern}"
        return ""
