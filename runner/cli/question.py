"""`--ask TEXT`: a profile whose session asks one question, and ends with its answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runner.errors import UsageError
from runner.profile import load_profile
from runner.settings.input import StdinInput

if TYPE_CHECKING:
    from runner.profile import LoadedProfile


def load_asking(name: str, question: str, given: dict[str, Any]) -> LoadedProfile:
    """Load a profile for one question, which takes the place of its input or follows the document that this is.

    Args:
        name: The profile.
        question: What is asked.
        given: What the flags say for `load_profile`.

    Raises:
        UsageError: There is nothing to ask.
        ProfileError: There is no such profile, or it has problems.
    """
    if not question.strip():
        msg = "--ask: there is nothing to ask"
        raise UsageError(msg, hint='such as: --ask "What is 2 + 2?"')
    usual = load_profile(name, **given).profile.input
    sets = [f"input.question={json.dumps(question)}", "run.until=input-end"]
    if not isinstance(usual, StdinInput) or usual.format != "document":
        sets.append("input.kind=question")
    return load_profile(name, **{**given, "sets": [*given["sets"], *sets]})
