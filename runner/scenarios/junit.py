"""The verdicts of scenarios as JUnit XML, which CI shows; without times and dates, so that two equal runs are equal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.scenarios.scenario_run import ScenarioVerdict

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""


def junit(verdicts: Sequence[ScenarioVerdict]) -> bytes:
    """The verdicts as one test suite: what has not run is an error, so that nobody takes it for passed."""
    failed = sum(each.verdict == "failed" for each in verdicts)
    not_run = sum(each.verdict == "not-run" for each in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed), "errors": str(not_run)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "rt-run test", **counts})
    for each in verdicts:
        case = ET.SubElement(suite, "testcase", {"classname": _fit(each.profile), "name": _fit(each.name)})
        if each.verdict != "passed":
            kind = "failure" if each.verdict == "failed" else "error"
            message = each.problems[0] if each.problems else each.verdict
            found = ET.SubElement(case, kind, {"message": _fit(message), "type": each.verdict})
            found.text = _fit("\n".join([*each.problems, "", *each.transcript]))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
