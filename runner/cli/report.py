"""Problems in the forms that people, scripts and GitHub read."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from runner.cli.plain_text import plain_line

if TYPE_CHECKING:
    from runner.profile.problems import Problem

Form = Literal["text", "json", "github"]


def report(form: Form, errors: Sequence["Problem"], warnings: Sequence["Problem"] = ()) -> str:
    """The problems as lines of text, as one JSON list, or as GitHub annotations; empty only for text and GitHub."""
    if form == "json":
        return json.dumps(listed(errors, warnings), indent=2, ensure_ascii=False)
    if form == "github":
        lines = [_annotation("error", each) for each in errors] + [_annotation("warning", each) for each in warnings]
        return "\n".join(lines)
    texts = [str(each._replace(file=plain_line(each.file))) for each in (*errors, *warnings)]
    return "\n".join([*texts[: len(errors)], *(f"warning: {text}" for text in texts[len(errors) :])])


def listed(errors: Sequence["Problem"], warnings: Sequence["Problem"]) -> list[dict[str, object]]:
    """The problems as JSON objects."""
    listed: list[dict[str, object]] = [{**each._asdict(), "severity": "error"} for each in errors]
    return listed + [{**each._asdict(), "severity": "warning"} for each in warnings]


def _annotation(severity: str, problem: "Problem") -> str:
    place = f"file={_property(problem.file)},line={problem.line},col={problem.column}," if problem.line else ""
    text = problem.problem if not problem.key else f"{problem.key}: {problem.problem}"
    text = f"{text}; {problem.hint}" if problem.hint else text
    text = text if problem.line else f"{problem.file}: {text}"
    return f"::{severity} {place}title={_property(problem.code)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
