"""Where a session connects: four kinds, and how a connection is made."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from runner.settings.endpoint import AzureEndpoint, Endpoint, LocalEndpoint, OpenAIEndpoint
from tests.settings.conftest import Refused

BASES: dict[str, dict[str, Any]] = {
    "openai": {},
    "azure": {"base_url": "https://contoso.openai.azure.com"},
    "custom": {"base_url": "http://127.0.0.1:8000/v1"},
    "local": {},
}
"""The least that each kind needs."""


@pytest.mark.parametrize("kind", BASES)
def test_every_kind_is_valid_with_the_least(kind: str) -> None:
    """The model is the one of the kind."""
    assert TypeAdapter[Any](Endpoint).validate_python({"kind": kind, **BASES[kind]}).kind == kind


@pytest.mark.parametrize("kind", ["azure", "custom"])
def test_the_address_is_the_users(refused: Refused, kind: str) -> None:
    """Azure and custom endpoints need an address; OpenAI's is known."""
    assert refused(Endpoint, {"kind": kind}) == {f"{kind}.base_url": "missing"}
    assert str(OpenAIEndpoint(kind="openai").base_url) == "https://api.openai.com/v1"


def test_an_unknown_kind_is_refused(refused: Refused) -> None:
    """The table has one error, and its keys have none."""
    assert refused(Endpoint, {"kind": "gemini", "base_url": 7}) == {"": "union_tag_invalid"}


@pytest.mark.parametrize("kind", ["openai", "azure", "custom"])
@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("connect_timeout_s", 0, "greater_than"),
        ("connect_timeout_s", 301, "less_than_equal"),
        ("proxy", "ftp://proxy:21", "string_pattern_mismatch"),
        ("proxy", "socks5h://proxy:1080", ""),
        ("query", {"api-version": 1}, "string_type"),
        ("ping_interval_s", 0, "greater_than"),
        ("ping_timeout_s", 3601, "less_than_equal"),
        ("max_message_bytes", 1023, "greater_than_equal"),
        ("client_certificate", {}, "missing"),
        ("call_id", "", "string_too_short"),
        ("call_id", "rtc/1", "string_pattern_mismatch"),
        ("bas_url", "https://x", "extra_forbidden"),
    ],
)
def test_every_connection_has_the_same_constraints(
    refused: Refused, kind: str, key: str, value: Any, error: str
) -> None:
    """Network settings are the same at every remote endpoint."""
    found = refused(Endpoint, {"kind": kind, **BASES[kind], key: value})

    assert list(found.values()) == ([error] if error else [])
    assert all(place.startswith(f"{kind}.{key}") for place in found)


def test_a_header_has_a_name(refused: Refused) -> None:
    """What HTTP does not take as a name is refused here, not at the handshake."""
    assert refused(Endpoint, {"kind": "openai", "headers": {"X-Team": "a"}}) == {}
    assert refused(Endpoint, {"kind": "openai", "headers": {"X Team": "a"}}) == {
        "openai.headers.X Team.[key]": "string_pattern_mismatch"
    }


@pytest.mark.parametrize(
    ("version", "is_preview"), [(None, False), ("2025-08-28", False), ("2025-04-01-preview", True)]
)
def test_the_version_says_which_protocol_azure_speaks(version: str | None, *, is_preview: bool) -> None:
    """Without a version it is the current one."""
    endpoint = AzureEndpoint.model_validate({"kind": "azure", **BASES["azure"], "api_version": version})

    assert endpoint.speaks_preview is is_preview


def test_a_version_is_a_date(refused: Refused) -> None:
    """Azure's versions are dates, with or without `-preview`."""
    assert refused(Endpoint, {"kind": "azure", **BASES["azure"], "api_version": "v1"}) == {
        "azure.api_version": "string_pattern_mismatch"
    }


def test_the_local_endpoint_needs_no_network(refused: Refused) -> None:
    """It answers by rules, and takes no setting of a connection."""
    endpoint = LocalEndpoint(kind="local")

    assert (endpoint.brain.kind, endpoint.speech, endpoint.script, endpoint.faults) == ("rules", "simulated", [], [])
    assert refused(Endpoint, {"kind": "local", "base_url": "http://127.0.0.1"}) == {"local.base_url": "extra_forbidden"}


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"brain": {"kind": "chat", "base_url": "http://h"}}, {"local.brain.chat.model": "missing"}),
        ({"brain": {"kind": "oracle"}}, {"local.brain": "union_tag_invalid"}),
        ({"script": [{"match": "(", "reply": ""}]}, {"local.script.0.match": "value_error"}),
        ({"script": [{"match": "", "reply": ""}]}, {"local.script.0.match": "string_too_short"}),
        ({"session_limit_s": 0}, {"local.session_limit_s": "greater_than"}),
        ({"delta_interval_ms": 0}, {}),
        ({"faults": [{"kind": "drop"}, {"kind": "flood"}]}, {"local.faults.1": "union_tag_invalid"}),
    ],
)
def test_the_local_endpoint_refuses(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """A mistake in a script is found where it is written, not when a user says something."""
    assert refused(Endpoint, {"kind": "local", **table}) == errors


@pytest.mark.parametrize("row", [{"reply": "a"}, {"match": "a", "output": "b", "reply": "c"}, {"match": "a"}])
def test_a_row_of_the_script_answers_one_thing(refused: Refused, row: dict[str, str]) -> None:
    """It answers the user's text or outputs, and it says or calls something."""
    assert refused(Endpoint, {"kind": "local", "script": [row]}) == {"local.script.0": "value_error"}
