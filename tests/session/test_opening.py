"""Opening sessions, and what that leaves alone."""

import logging
import re

import pytest

from runner import logs, make_profile, open_session

pytestmark = pytest.mark.anyio

LOCAL = make_profile(endpoint={"kind": "local"})


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
