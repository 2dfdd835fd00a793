"""A whole profile as a model: what it needs, what it has by default, and how it names its session's type."""

from typing import Any

import pytest
from pydantic import ValidationError

from runner.settings.profile import Profile, RealtimeSettings, SessionSettings, TranscriptionSettings
from tests.settings.conftest import Refused

LEAST: dict[str, Any] = {"version": 1, "endpoint": {"kind": "local"}}


def test_a_profile_needs_a_version_and_an_endpoint(refused: Refused) -> None:
    """Everything else has a default."""
    profile = Profile.model_validate(LEAST)

    assert (profile.auth.kind, profile.model, profile.journal) == ("none", None, None)
    assert (profile.session, profile.input.kind) == (RealtimeSettings(), "stdin")
    assert [output.kind for output in profile.outputs] == ["stdout"]
    assert refused(Profile, {}) == {"version": "missing", "endpoint": "missing", "auth": "missing"}
    assert refused(Profile, {**LEAST, "version": 2}) == {"version": "literal_error"}


def test_the_endpoint_decides_the_default_credential() -> None:
    """OpenAI gets a key from its usual variable."""
    profile = Profile.model_validate({**LEAST, "endpoint": {"kind": "openai"}})

    assert profile.auth.model_dump() == {"kind": "api-key", "api_key": {"env": "OPENAI_API_KEY"}, "header": None}


@pytest.mark.parametrize("kind", ["realtime", "transcription", "translation"])
def test_the_type_decides_the_session(kind: str) -> None:
    """Each type has its own model, and fields that rt-run does not know in `extra`."""
    profile = Profile.model_validate({**LEAST, "session": {"type": kind, "extra": {"future": True}}})

    assert (profile.session.type, profile.session.extra) == (kind, {"future": True})


def test_a_session_without_a_type_is_a_conversation(refused: Refused) -> None:
    """An unknown type has an error of its own."""
    assert refused(SessionSettings, {"instructions": "Be brief."}) == {}
    assert refused(SessionSettings, TranscriptionSettings(type="transcription")) == {}
    assert refused(SessionSettings, {"type": "monologue"}) == {"": "session_type"}
    assert refused(SessionSettings, {"type": 1}) == {"": "session_type"}


def test_a_profile_never_changes() -> None:
    """Many sessions share one profile, so it cannot be changed."""
    profile = Profile.model_validate(LEAST)

    with pytest.raises(ValidationError, match="frozen"):
        profile.description = "another"  # type: ignore[misc]  # that is what is tested


def test_unknown_keys_are_refused_everywhere(refused: Refused) -> None:
    """The top level and every table refuse keys that they do not know."""
    table = {**LEAST, "sesion": {}, "run": {"x": 1}, "model": {"name": "m", "x": 1}, "session": {"x": 1}}

    assert refused(Profile, table) == {
        "sesion": "extra_forbidden",
        "run.x": "extra_forbidden",
        "model.x": "extra_forbidden",
        "session.realtime.x": "extra_forbidden",
    }


@pytest.mark.parametrize("name", ["", "m" * 257])
def test_a_model_has_a_name(refused: Refused, name: str) -> None:
    """Its name has between 1 and 256 characters."""
    assert list(refused(Profile, {**LEAST, "model": {"name": name}})) == ["model.name"]
