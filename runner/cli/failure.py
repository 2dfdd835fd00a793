"""How a failure is told to people, and to machines that read the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner import logs, redaction
from runner.cli.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import RunnerError


def print_failure(error: RunnerError) -> None:
    """Write what happened, and what to do about it, to standard error."""
    text = f"rt-run: {error.message}\n" + (f"  hint: {error.hint}\n" if error.hint else "")
    logs.tell(plain(redaction.redact(text)))


def tell_failure(error: RunnerError, form: logs.Format, *, others: Sequence[RunnerError] = (), **facts: Any) -> int:
    """Tell why a command that logs has failed, in the form of its log.

    Args:
        error: What happened.
        form: The form of the log; where it is for people, what happened is written as text.
        others: What else happened.
        facts: Further keys for a log line.

    Returns:
        The exit code that follows.
    """
    if logs.for_people(form):
        print_failure(error)
        return error.exit_code
    where = str(facts.get("profile", ""))
    problems = [each for failure in (error, *others) for each in _problems(failure, where)]
    told = {
        **facts,
        "error": "\n".join(each.message for each in (error, *others)),
        "hint": error.hint,
        "code": error.code,
        "exit_code": facts.get("exit_code", error.exit_code),
        "problems": problems,
    }
    logs.logger().error("run_failed", **{key: value for key, value in told.items() if value})
    return error.exit_code


def _problems(error: RunnerError, where: str) -> list[dict[str, object]]:
    """What is wrong with a profile, as `check --output json` has it; nothing for other errors."""
    from runner.cli.report import listed
    from runner.errors import ProfileError
    from runner.profile.problems import Problem, ProfileProblems

    if isinstance(error, ProfileProblems):
        return listed(error.problems, error.warnings)
    if type(error) is ProfileError:
        return listed([Problem(where, 0, 0, "", error.message, error.hint, error.code or "not-found")], [])
    return []
