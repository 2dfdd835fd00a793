"""The profiles that come with rt-run."""

from pathlib import Path
from typing import Any

import pytest

from runner.profile import load_profile
from runner.profile.builtin_profiles import builtin_profiles, is_builtin
from tests.profile.conftest import OPENAI


@pytest.mark.parametrize("name", [path.stem for path in builtin_profiles()])
def test_each_is_found_in_an_empty_folder(name: str) -> None:
    """And is valid, with nothing in it that looks wrong."""
    loaded = load_profile(name, environ={})

    assert is_builtin(loaded.path)
    assert loaded.warnings == []


def test_what_one_reads_is_where_the_user_is() -> None:
    """The folder that rt-run is installed in is nobody's."""
    assert load_profile("transcribe", environ={}).profile.input.path == Path.cwd() / "talk.wav"  # type: ignore[union-attr]  # a file


def test_a_file_takes_the_place_of_one(write: Any) -> None:
    """Which it may itself extend, as any other profile may."""
    write("profiles/local.toml", OPENAI)
    write("profiles/interpret.toml", 'version = 1\nextends = "interpret"\nsession.audio.output.language = "de"\n')
    write("mine.toml", 'version = 1\nextends = "transcribe"\ndescription = "Mine"\n')

    assert load_profile("local", environ={}).profile.endpoint.kind == "openai"
    assert load_profile("interpret", environ={}).profile.session.type == "translation"
    mine = load_profile("./mine.toml", environ={})
    assert (mine.profile.description, mine.profile.session.type) == ("Mine", "transcription")
    assert str(mine.origins.of(("session", "type"))).startswith("<built-in>/transcribe.toml:")
