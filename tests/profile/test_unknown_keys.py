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


def test_what_a_live_session_does_not_have_is_named(problems_of: Any) -> None:
    """A profile that moves from realtime learns of all that stands in the way, each with what to do about it."""
    realtime = (
        '[session]\ntype = "live"\nturn_detection = "none"\noutput_modalities = ["audio"]\ntruncation = "auto"\n'
        '[session.audio.input]\ntranscription = { model = "gpt-transcribe" }\n'
        '[session.audio.output]\nspeed = 1.2\nvoice = "marin"\n'
        '[[tools]]\nname = "look_up"\ndescription = "Looks up."\nrun = { kind = "command", argv = ["true"] }\n'
    )
    told = "\n".join(problems_of(OPENAI.replace("gpt-realtime-2", "gpt-live-1.1") + realtime))

    assert told.count("unknown key") == 4
    assert "session.turn_detection: a name of the preview API; the model decides by itself when to speak" in told
    for hint in (
        "a Live session always speaks",
        "keeps the conversation within bounds by itself",
        "decides by itself when to speak, and what is said is always written down",
        "say in session.instructions how fast it speaks",
        "a Live model calls no tools itself; write [session.delegation]",
    ):
        assert hint in told
