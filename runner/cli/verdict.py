"""What `rt-run check` has found out about one profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.cli.plain_text import plain_line
from runner.errors import InputError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.profile import LoadedProfile
    from runner.profile.problems import Problem
    from runner.session.connection_check import CheckedStep


@dataclass
class Verdict:
    """The problems of a profile, and the steps of its connection where one was tried."""

    label: str
    errors: list[Problem]
    warnings: list[Problem] = field(default_factory=list)
    loaded: LoadedProfile | None = None
    """The profile, None where it cannot be loaded."""
    steps: Sequence[CheckedStep] = ()
    failed: CheckedStep | None = None
    """The step that stands in the way of a connection."""

    @property
    def exit_code(self) -> int:
        """The exit code that a run of this profile would have, as far as is known."""
        if self.failed is not None and self.failed.error is not None:
            return self.failed.error.exit_code
        if any(each.code != "device-missing" for each in self.errors):
            return ProfileError.exit_code
        return InputError.exit_code if self.errors else 0

    def __str__(self) -> str:
        count = len(self.errors)
        told = [f"{count} problem{'s' if count > 1 else ''}"] if count else []
        if self.failed is not None:
            told.append(f"no session, because of {self.failed.name}")
        return f"{plain_line(self.label)}: {', '.join(told) or 'ok'}"
