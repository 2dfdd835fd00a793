"""Opening sessions, and what that leaves alone."""

import logging
import re

import pytest

from runner import ProfileProblems, logs, make_profile, open_session

pytestmark = pytest.mark.anyio

LOCAL = make_profile(endpoint={"kind": "local"})
CALL = make_profile(
    endpoint={"kind": "local", "faults": [{"kind": "drop", "after_events": 6}]},
    session={"instructions": "You speak with {{customer}}.", "output_modalities": ["text"]},
    variables={"customer": {"required": True}},
    run={"reconnect": {"initial_delay_s": 0.01}},
)


async def test_sessions_bind_nothing_in_the_context_of_their_caller(caplog: pytest.LogCaptureFixture) -> None:
    """Of two nested ones each logs under its own id, and the program's own lines have neither."""
    with caplog.at_level(logging.DEBUG, "rt_run"):
        async with open_session(LOCAL) as outer:
            async with open_session(LOCAL) as inner:
                assert logs.context() == {}
                await inner.ask("Hello")
            await outer.ask("Hello")
            assert logs.context() == {}
    assert logs.context() == {}

    started = [record.getMessage() for record in caplog.records if record.getMessage().startswith("response_started")]
    ids = [re.findall(r"session_id='(\w+)'", line) for line in started]
    assert ids == [[inner.id], [outer.id]]


async def test_a_session_is_opened_by_a_profile_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, its path, and as it was loaded or made."""
    folder = tmp_path_factory.mktemp("profiles")
    path = folder / "mine.toml"
    path.write_text('version = 1\n[endpoint]\nkind = "local"\n')
    monkeypatch.setenv("RT_RUN_PROFILES_DIR", str(folder))
    for profile in ("mine", str(path), path, LOCAL):
        async with open_session(profile) as session:
            assert await session.ask("Hello") == "You said: Hello"


async def test_a_session_has_the_values_of_its_variables_on_every_connection() -> None:
    """Two sessions of one profile have their own; without one that is required none is opened."""
    async with (
        open_session(CALL, variables={"customer": "Ada"}) as one,
        open_session(CALL, variables={"customer": "{{time}}"}) as other,
    ):
        assert await one.ask("Hello") == "You said: Hello"
        assert one.epoch > 1
        assert one.state.effective["instructions"] == "You speak with Ada."
        assert other.state.effective["instructions"] == "You speak with {{time}}."
    with pytest.raises(ProfileProblems, match="has to give a value"):
        async with open_session(CALL):
            pass
