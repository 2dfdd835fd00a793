"""Faults in the forms that people, scripts and GitHub read."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from runner.profile.problems import Fault

Form = Literal["text", "json", "github"]


def report(form: Form, errors: Sequence["Fault"], warnings: Sequence["Fault"] = ()) -> str:
    """The faults as lines of text, as one JSON list, or as GitHub annotations; empty only for text and GitHub."""
    if form == "json":
        listed = [{**each._asdict(), "severity": "error"} for each in errors]
        listed += [{**each._asdict(), "severity": "warning"} for each in warnings]
        return json.dumps(listed, indent=2, ensure_ascii=False)
    if form == "github":
        lines = [_annotation("error", each) for each in errors] + [_annotation("warning", each) for each in warnings]
        return "\n".join(lines)
    return "\n".join([str(each) for each in errors] + [f"warning: {each}" for each in warnings])


def _annotation(severity: str, fault: "Fault") -> str:
    place = f"file={_property(fault.file)},line={fault.line},col={fault.column}," if fault.line else ""
    text = fault.problem if not fault.key else f"{fault.key}: {fault.problem}"
    text = f"{text}; {fault.hint}" if fault.hint else text
    text = text if fault.line else f"{fault.file}: {text}"
    return f"::{severity} {place}title={_property(fault.code)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
