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


def test_values_of_the_query_and_of_headers_are_masked(rt_run: Any, tmp_path: Path) -> None:
    """They may be secret whatever they are called; what the session is about is not."""
    query = 'query = { tag = "planted-tag", model = "of-the-gateway" }\n'
    headers = 'headers = { X-Team = "planted-team" }\n'
    (tmp_path / "p.toml").write_text(
        f'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:1/v1"\n{query}{headers}'
    )
    settings, as_json = rt_run("show", "p.toml").out, rt_run("show", "p.toml", "--output", "json").out
    request = rt_run("show", "p.toml", "--request").out

    assert "planted" not in settings + as_json + request
    assert 'endpoint.query.tag = "[hidden]"' in settings
    assert 'endpoint.query.model = "of-the-gateway"' in settings
    assert "GET http://127.0.0.1:1/v1/realtime?tag=[hidden]&model=of-the-gateway\n" in request


@pytest.mark.parametrize("arguments", [(), ("--output", "json"), ("--request",), ("--request", "--output", "json")])
def test_what_a_tool_carries_is_masked(rt_run: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Its headers and the query of its address, in the settings and in the event; the rest is shown."""
    tool = (
        'tools = [{ type = "mcp", server_label = "a", server_url = "https://mcp.test/sse?tag=planted", '
        'headers = { X-Team = "planted" }, server_description = "shown" }]'
    )
    (tmp_path / "p.toml").write_text(f"{PROFILE.partition('[session.extra]')[0]}{tool}\n")

    code, out, _ = rt_run("show", "p.toml", *arguments)

    assert code == 0
    assert "planted" not in out
    assert "https://mcp.test/sse?[hidden]" in out
    assert "shown" in out


def test_each_table_begins_with_its_kind(rt_run: Any, profile: str) -> None:
    """It says what the other keys mean."""
    keys = [line.split(" = ")[0] for line in rt_run("show", profile).out.splitlines()]

    for table in ("endpoint", "auth", "session", "input", "outputs.0"):
        first = next(key for key in keys if key.startswith(f"{table}."))
        assert first in (f"{table}.kind", f"{table}.type")


@pytest.mark.parametrize(("header", "name"), [("", "api-key"), ('header = "bearer"', "Authorization")])
def test_the_request_has_the_header_that_is_sent(rt_run: Any, tmp_path: Path, header: str, name: str) -> None:
    """The same choice as when connecting."""
    endpoint = 'kind = "azure"\nbase_url = "https://contoso.openai.azure.com"\n[model]\nname = "m"\n'
    auth = f'[auth]\nkind = "api-key"\napi_key = {{ env = "A" }}\n{header}\n'
    (tmp_path / "p.toml").write_text(f"version = 1\n[endpoint]\n{endpoint}{auth}")

    assert f"headers: {name}\n" in rt_run("show", "p.toml", "--request").out


def test_a_server_that_the_endpoint_calls_is_in_the_first_event(rt_run: Any, tmp_path: Path) -> None:
    """As it will be asked for, without its secrets."""
    server = (
        '[[mcp_servers]]\nname = "crm"\napproval = "always"\nrun = { kind = "hosted", server_url = "https://crm.test", '
        'authorization = { env = "CRM_TOKEN" }, headers = { X-A = "planted" } }\n'
    )
    (tmp_path / "crm.toml").write_text(PROFILE + server)

    shown = json.loads(rt_run("show", "crm.toml", "--request", "--output", "json").out)

    (entry,) = shown["first_event"]["session"]["tools"]
    assert (entry["server_label"], entry["require_approval"]) == ("crm", "always")
    assert (entry["authorization"], entry["headers"]) == ("[hidden]", {"X-A": "[hidden]"})
