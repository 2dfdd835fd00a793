"""What is asked of another provider: what its profile says differently, and all else as it is wanted by now."""

from typing import Any

import pytest

from runner.profile import make_profile
from runner.profile.session_source import Fallback, SessionProfile
from runner.protocol.session_update import session_update
from runner.session.providers import Providers
from runner.session.rebasing import rebased

WEST: dict[str, Any] = {"kind": "openai", "base_url": "https://west.contoso.net/v1"}
HEARING = {"transcription": {"model": "gpt-transcribe", "keywords": ["tea"]}, "turn_detection": None}


@pytest.mark.parametrize(
    ("session", "other", "wanted", "expected"),
    [
        ({"type": "live", "instructions": "Be brief."}, {"type": "live"}, {}, {"model": "m2"}),
        (
            {"reasoning": {"effort": "low"}, "output_modalities": ["text"]},
            {},
            {"instructions": "Be kind.", "tools": [{"type": "function", "name": "look"}]},
            {"reasoning": None},
        ),
        (
            {"audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1.1}}},
            {"audio": {"output": {"voice": "marin"}}},
            {"audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1.2}}},
            {"audio": {"output": {"voice": "marin", "speed": 1.2}}},
        ),
        (
            {"audio": {"input": HEARING}},
            {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
            {},
            {"audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}},
        ),
    ],
)
def test_what_is_asked_changes_with_the_provider_and_back(
    session: dict[str, Any], other: dict[str, Any], wanted: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What was changed meanwhile stays; what the other one cannot do is asked for again on the way back."""
    model = {"name": "gpt-live-1" if session.get("type") == "live" else "gpt-realtime-2"}
    own = make_profile(endpoint={"kind": "openai"}, model=model, session=session)
    name = expected.get("model", "gpt-realtime")
    fallback = make_profile(endpoint=WEST, model={"name": name}, session=other)
    providers = Providers(SessionProfile(own, "own", [Fallback("west", fallback)]))
    here, there = providers.named("own"), providers.named("west")
    before = {**session_update(own)["session"], **wanted}

    asked = rebased(before, here, there)

    assert asked == {key: value for key, value in {**before, **expected}.items() if value is not None}
    assert rebased(asked, there, here) == before
    assert rebased(before, here, here) is before
