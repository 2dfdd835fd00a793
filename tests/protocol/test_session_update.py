"""The first event of every connection, and what else is read from it."""

from typing import Any

import pytest

from runner.protocol.session_format import format_of
from runner.protocol.session_update import session_update
from runner.settings.profile import Profile


def update(session: dict[str, Any]) -> Any:
    """The first event of a profile with this session."""
    return session_update(Profile.model_validate({"version": 1, "endpoint": {"kind": "local"}, "session": session}))


def test_only_what_the_profile_sets_is_asked_for() -> None:
    """Defaults are the endpoint's, and a null that the profile asks for is sent."""
    session = {"instructions": "Be brief.", "audio": {"input": {"turn_detection": None}}}

    assert update({}) == {"type": "session.update", "session": {"type": "realtime"}}
    assert update(session)["session"] == {"type": "realtime", **session}


def test_extra_fields_are_merged_into_the_known_ones() -> None:
    """A field within a table that the profile sets too stands beside its fields."""
    extra = {"audio": {"output": {"future": 1}}, "future": True}

    assert update({"audio": {"output": {"voice": "marin"}}, "extra": extra})["session"] == {
        "type": "realtime",
        "audio": {"output": {"voice": "marin", "future": 1}},
        "future": True,
    }


@pytest.mark.parametrize("session", [{"model": "gpt-realtime-2"}, {"extra": {"model": "gpt-realtime-2"}}])
def test_the_model_is_never_asked_for(session: dict[str, Any]) -> None:
    """The address of the connection has it."""
    assert update(session)["session"] == {"type": "realtime"}


def test_a_translation_has_no_type() -> None:
    """The API knows no such field of a translation."""
    assert update({"type": "transcription"})["session"] == {"type": "transcription"}
    assert update({"type": "translation"})["session"] == {}


def test_the_format_of_the_audio_is_the_one_asked_for() -> None:
    """A rate that only `extra` has is the rate of the audio that goes in."""
    form = {"type": "audio/pcm", "rate": 16_000}

    assert format_of(update({"extra": {"audio": {"input": {"format": form}}}})["session"], "input").rate == 16_000
