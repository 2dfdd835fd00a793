"""Whatever a file says, loading it ends in a profile or in problems with places, and never in anything else."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import toml_rs
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.profile import Problem, ProfileProblems, load_profile
from runner.profile.builtin_profiles import builtin_profiles
from tests.conftest import REPOSITORY

SECRET = "sk-planted-0123456789abcdef"
SEEDS = [*builtin_profiles(), *sorted((REPOSITORY / "profiles").glob("*.toml"))]
TRAPS: list[Any] = [
    float("nan"), float("inf"), -1, 0, 1 << 70, 1e308, True, "", "\x00", "é" * 300, "../x", SECRET, [], {}, [[]], [{}],
    {"file": "/dev/zero"}, {"file": SECRET}, {"env": "X", "file": "y"}, {"kind": SECRET}, {"kind": []}, {"type": {}},
    ["a", 1], f"https://user:{SECRET}@host/", {"_cli_parse_args": True}, {SECRET: 1}, [SECRET], {"": {"": ""}},
]  # fmt: skip
PLAIN = st.recursive(st.booleans() | st.text(max_size=5), st.lists, max_leaves=4)
KEYS = st.sampled_from([
    "kind", "type", "endpoint", "auth", "api_key", "session", "extends", "extra", "_env_file", "self", "model",
    "temperature", "audio", "tools", "outputs", "input", "headers", "instructions", "tool_choice", "a.b", "",
    "é", SECRET, "mcp_servers", "run", "name", "parameters", "approval", "$ref", "$schema",
])  # fmt: skip


def _tables(tree: Any) -> list[Any]:
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [tree, *(table for each in below for table in _tables(each))] if isinstance(tree, dict | list) else []


@st.composite
def changed_values(draw: st.DrawFn) -> bytes:
    """A profile with other values and keys in it."""
    tree = tomli.loads(draw(st.sampled_from(SEEDS)).read_text())
    for _ in range(draw(st.integers(1, 4))):
        table = draw(st.sampled_from(_tables(tree)))
        value = draw(
            st.sampled_from(TRAPS).map(copy.deepcopy)
            | st.recursive(st.booleans() | st.text(max_size=5), st.lists, max_leaves=4)
        )
        for _ in range(draw(st.sampled_from([0, 0, 0, 5, 80]))):
            value = draw(st.sampled_from([[value], {"a": value}]))
        if isinstance(table, list):
            table.append(value)
        else:
            name = draw(st.sampled_from(sorted(table)) if table and draw(st.booleans()) else KEYS)
            if draw(st.booleans()):
                table.pop(name, None)
            table[name] = value
    return toml_rs.dumps(tree).encode("utf-8", "surrogatepass")


@st.composite
def changed_bytes(draw: st.DrawFn) -> bytes:
    """A profile with other bytes in it."""
    data = bytearray(draw(st.sampled_from(SEEDS)).read_bytes())
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 20))
        data[at : at + cut] = draw(
            st.binary(max_size=4)
            | st.sampled_from([
                b"\r\n", b"\x00", b"\xef\xbb\xbf", b"[[", b'"', b"'''", b"1979-05-27T07:32:00Z", b"nan", b"9" * 5000,
                b"=" + b"[" * 3000, b".a" * 2000, b"{a=" * 500, f'\nx = "{SECRET}"\n'.encode(), b"[session]\n", b"#",
            ])
        )  # fmt: skip
    return bytes(data)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.one_of(changed_values(), changed_bytes()))
def test_any_file_is_a_profile_or_has_problems(data: bytes, tmp_path_factory: Any) -> None:
    """A mutated profile loads, or fails with places, and never shows the planted secret."""
    path: Path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_bytes(data)

    said, problems, exit_code = _loaded(path)

    assert exit_code in (0, 78)
    assert all(each.line > 0 and each.column > 0 for each in problems)
    assert not problems or re.search(r"mutated\.toml:\d+:\d+: ", said)
    assert "planted" not in said
    assert "0123456789" not in said


def _loaded(path: Path) -> tuple[str, Sequence[Problem], int]:
    try:
        return repr(load_profile(str(path), environ={}).warnings), (), 0
    except ProfileProblems as error:
        return f"{error} {error.hint} {error!r}", error.problems, error.exit_code
