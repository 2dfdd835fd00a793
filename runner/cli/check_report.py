"""The report of `rt-run check`: problems, and steps of connections, for people, scripts and GitHub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runner.cli.plain_text import plain_line
from runner.cli.report import listed, report
from runner.profile.problems import problem_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.cli.report import Form
    from runner.cli.verdict import Verdict
    from runner.profile import LoadedProfile
    from runner.profile.problems import Problem
    from runner.session.connection_check import CheckedStep

_KEYS = {
    "proxy": ("endpoint", "proxy"),
    "tls": ("endpoint", "ca_file"),
    "credential": ("auth",),
    "session.updated": ("session",),
    "drift": ("session",),
    "models": ("model", "name"),
}
"""The key of a profile that a step hangs on; of all others it is the address."""


def lines_of(verdicts: Sequence[Verdict], form: Form, *, has_steps: bool) -> Iterator[str]:
    """The report on all profiles, line by line.

    Args:
        verdicts: What was found out about each.
        form: Whom the report is for.
        has_steps: Whether connections were tried; the JSON then has an object for each profile.
    """
    match form:
        case "text":
            return _text(verdicts)
        case "github":
            return _github(verdicts)
        case "json":
            return _connections(verdicts) if has_steps else _json(verdicts)


def _text(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Each problem once, though several profiles may inherit it."""
    told: set[Problem] = set()
    for each in verdicts:
        new = [[problem for problem in found if problem not in told] for found in (each.errors, each.warnings)]
        told.update(*new)
        if text := report("text", *new):
            yield text
        yield from _step_lines(each.steps)
        yield str(each)


def _json(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield report("json", *_problems(verdicts))


def _connections(verdicts: Sequence[Verdict]) -> Iterator[str]:
    objects = [
        {
            "profile": each.label,
            "exit_code": each.exit_code,
            "failed_step": each.failed.name if each.failed else None,
            "problems": listed(each.errors, each.warnings),
            "steps": _step_objects(each.steps),
        }
        for each in verdicts
    ]
    yield json.dumps(objects, indent=2, ensure_ascii=False)


def _github(verdicts: Sequence[Verdict]) -> Iterator[str]:
    errors, warnings = _problems(verdicts)
    for found, state in ((errors, "failed"), (warnings, "warned")):
        for each in verdicts:
            found += [_step_problem(each.loaded, step) for step in each.steps if each.loaded and step.state == state]
    if text := report("github", errors, warnings):
        yield text


def _problems(verdicts: Sequence[Verdict]) -> tuple[list[Problem], list[Problem]]:
    """The errors and the warnings of all profiles, each once."""
    errors = dict.fromkeys(problem for each in verdicts for problem in each.errors)
    return [*errors], [*dict.fromkeys(problem for each in verdicts for problem in each.warnings)]


def _step_lines(steps: Sequence[CheckedStep]) -> Iterator[str]:
    """The steps as lines for people; one that was not tried has none, unless there is a reason."""
    for step in steps:
        if step.state == "skipped" and not step.seen:
            continue
        took = "" if step.state == "skipped" else f"{step.took_s * 1000:.0f} ms"
        mark = {"warned": "warning: ", "failed": "failed: "}.get(step.state, "")
        told = step.error.message if step.error else step.seen
        yield f"  {step.name:<16}{took:>9}  {mark}{plain_line(told)}".rstrip()
        if step.error and step.error.hint:
            yield f"  {'':<16}{'':>9}  hint: {plain_line(step.error.hint)}"


def _step_objects(steps: Sequence[CheckedStep]) -> list[dict[str, Any]]:
    """The steps as JSON objects."""
    return [
        {
            "step": step.name,
            "state": step.state,
            "took_ms": round(step.took_s * 1000, 1),
            "seen": step.seen,
            **({"hint": step.error.hint, "exit_code": step.error.exit_code, **step.error.facts} if step.error else {}),
        }
        for step in steps
    ]


def _step_problem(loaded: LoadedProfile, step: CheckedStep) -> Problem:
    """A step that is not as it should be, at the place of the profile that it hangs on."""
    key = _KEYS.get(step.name, ("endpoint", "base_url"))
    error = step.error
    message, hint = (error.message, error.hint) if error else (step.seen, "")
    return problem_at(loaded.origins.place(key), key, f"{step.name}: {message}", hint, code=f"connect-{step.name}")
