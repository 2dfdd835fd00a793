"""What the model may call: kinds of tools, and limits that nobody can leave out."""

from typing import Any

import pytest

from runner.settings.tool import CallSettings, HttpRun, ToolSettings
from runner.settings.tool_use import ToolUse
from tests.settings.conftest import Refused

CLIENT = {"kind": "client"}


def test_every_call_is_bounded() -> None:
    """Whatever a profile leaves out."""
    limits = CallSettings()

    assert (limits.timeout_s, limits.max_output_bytes, limits.concurrency, limits.retries) == (20, 32 * 1024, 4, 0)
    assert (limits.approval, limits.log) == ("never", "redacted")
    assert (ToolUse().max_rounds, ToolUse().approval_timeout_s, ToolUse().hang_up) == (8, 60, False)


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"name": "a-b_C9", "run": CLIENT, "approval": {"command": ["x"]}}, {}),
        ({"name": "a b", "run": CLIENT}, {"name": "string_pattern_mismatch"}),
        ({"name": "a" * 65, "run": CLIENT}, {"name": "string_pattern_mismatch"}),
        ({"name": "a", "run": {"kind": "shell"}}, {"run": "union_tag_invalid"}),
        ({"name": "a", "run": {"kind": "command", "argv": []}}, {"run.command.argv": "too_short"}),
        ({"name": "a", "run": {"kind": "command", "argv": ["x", "\x00"]}},
         {"run.command.argv.1": "string_pattern_mismatch"}),
        ({"name": "a", "run": {"kind": "command", "argv": ["x"], "env": {"A": {"key": "v"}}}},
         {"run.command.env.A.reference": "secret_reference"}),
        ({"name": "a", "run": {"kind": "http", "url": "ftp://x.test"}}, {"run.http.url": "url_scheme"}),
        ({"name": "a", "run": {"kind": "http", "url": "https://u:p@x.test"}}, {"run.http.url": "user_info"}),
        ({"name": "a", "run": {"kind": "http", "url": "https://x.test", "method": "CONNECT"}},
         {"run.http.method": "literal_error"}),
        ({"name": "a", "run": {"kind": "python", "function": "os.system"}},
         {"run.python.function": "string_pattern_mismatch"}),
        ({"name": "a", "run": CLIENT, "timeout_s": 0}, {"timeout_s": "greater_than"}),
        ({"name": "a", "run": CLIENT, "approval": "ask"}, {"approval.word": "literal_error"}),
        ({"name": "a", "run": CLIENT, "approval": {"command": []}}, {"approval.command.command": "too_short"}),
    ],
)  # fmt: skip
def test_tools_refuse(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """Each error names the key that has it."""
    assert refused(ToolSettings, table) == errors


@pytest.mark.parametrize(
    ("table", "sends_query"),
    [
        ({}, False),
        ({"method": "GET"}, True),
        ({"method": "DELETE"}, True),
        ({"method": "GET", "arguments": "json"}, False),
        ({"arguments": "query"}, True),
    ],
)
def test_arguments_go_where_the_method_has_them(table: dict[str, Any], sends_query: bool) -> None:
    """Unless the profile says otherwise."""
    assert HttpRun.model_validate({"kind": "http", "url": "https://x.test", **table}).sends_query is sends_query
