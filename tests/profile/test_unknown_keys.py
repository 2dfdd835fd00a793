"""Keys that other clients have, and where the same belongs here."""

from typing import Any

import pytest

from tests.profile.conftest import OPENAI


@pytest.mark.parametrize(
    ("table", "key", "hint"),
    [
        ("endpoint", "deployment", "write model.name"),
        ("endpoint", "azure_deployment", "write model.name"),
        ("endpoint", "model", "write model.name"),
        ("endpoint", "azure_endpoint", "write endpoint.base_url"),
        ("endpoint", "url", "write endpoint.base_url"),
        ("endpoint", "api_key", "write a reference in [auth]"),
        ("endpoint", "timeout", "write endpoint.connect_timeout_s"),
        ("endpoint", "verify_ssl", "certificates are always checked; endpoint.ca_file"),
        ("endpoint", "max_retries", "write run.reconnect.max_attempts"),
        ("endpoint", "default_headers", "write endpoint.headers"),
        ("model", "deployment", "write model.name"),
        ("session", "system_prompt", "write session.instructions"),
        ("session", "stream", "answers always stream; remove it"),
        ("run", "retries", "write run.reconnect.max_attempts"),
        ("endpoint", "base_ur", "did you mean base_url?"),
        ("endpoint", "api_version", 'only "azure" takes it'),
        ("endpoint", "instructions", "it belongs in [session]"),
        ("endpoint", "zzz", ""),
    ],
)
def test_a_key_from_elsewhere_is_led_home(problems_of: Any, table: str, key: str, hint: str) -> None:
    """Before anything is guessed."""
    text = OPENAI if f"[{table}]" in OPENAI else f"{OPENAI}[{table}]\n"
    (told,) = problems_of(text.replace(f"[{table}]\n", f"[{table}]\n{key} = 1\n"))

    assert told.partition("unknown key")[2].startswith(f"; {hint}" if hint else "")
    assert "did you mean" not in told or "did you mean" in hint
