"""`rt-run show` tells every value, where it came from, and what is sent first."""

import json
from pathlib import Path
from typing import Any

import pytest

PROFILE = """\
version = 1
[endpoint]
kind = "openai"
headers = { X-Team = "value-of-header" }
[model]
name = "gpt-realtime-2"
[session]
output_modalities = ["text"]
[session.extra]
new_field = { a = 1 }
[session.audio.input]
turn_detection = "none"
"""


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """A profile in the working directory."""
    (tmp_path / "p.toml").write_text(PROFILE)
    return "p.toml"


def test_each_value_has_its_origin(rt_run: Any, profile: str) -> None:
    """Secrets are shown as their references."""
    code, out, _ = rt_run("show", profile, "--set", "run.grace_s=3")
    lines = {line.split("  #")[0].rstrip(): line.split("# ")[1] for line in out.splitlines()}

    assert code == 0
    assert lines['endpoint.kind = "openai"'] == "p.toml:3"
    assert lines['session.output_modalities = ["text"]'] == "p.toml:8"
    assert lines['session.audio.input.turn_detection = "none"'] == "p.toml:12"
    assert lines['auth.api_key.env = "OPENAI_API_KEY"'] == "default"
    assert lines["run.grace_s = 3.0"] == "--set run.grace_s"


def test_json_has_the_same(rt_run: Any, profile: str) -> None:
    """Value and origin by key."""
    shown = json.loads(rt_run("show", profile, "--output", "json").out)

    assert shown["model.name"] == {"value": "gpt-realtime-2", "origin": "p.toml:6"}


def test_the_request_is_url_header_names_and_first_event(rt_run: Any, profile: str) -> None:
    """Header values never appear; the event has only what is set, and `extra`."""
    code, out, _ = rt_run("show", profile, "--request", "--output", "json")
    shown = json.loads(out)

    assert code == 0
    assert shown["url"] == "https://api.openai.com/v1/realtime?model=gpt-realtime-2"
    assert shown["headers"] == ["X-Team", "Authorization"]
    assert shown["first_event"] == {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["text"],
            "audio": {"input": {"turn_detection": None}},
            "new_field": {"a": 1},
        },
    }
    assert "value-of-header" not in out + rt_run("show", profile, "--request").out


def test_a_broken_profile_is_not_shown(rt_run: Any, tmp_path: Path) -> None:
    """Its faults are."""
    (tmp_path / "p.toml").write_text("version = 2\n")

    code, out, err = rt_run("show", "p.toml")

    assert (code, out) == (78, "")
    assert "p.toml:1:11: version: must be 1" in err
