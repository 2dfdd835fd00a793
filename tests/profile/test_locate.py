"""A profile that is not there: what was meant, where that is near."""

from typing import Any

import pytest

from runner.errors import ProfileError
from runner.profile import load_profile
from tests.profile.conftest import OPENAI


@pytest.fixture(autouse=True)
def _profiles(write: Any) -> None:
    for name in ("profiles/local", "profiles/openai", "other/support", "pyproject"):
        write(f"{name}.toml", OPENAI)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("loca", "did you mean local?"),
        ("nope", "found here: local, openai; built in: interpret, live-local, local, local-voice, transcribe"),
        ("./nope.toml", ""),
        ("nope.toml", ""),
        ("local.toml", "did you mean --profile local? a name is searched for, and local.toml is a path"),
        ("other/suport.toml", "did you mean other/support.toml?"),
        ("./pyprojct.toml", "did you mean ./pyproject.toml?"),
        ("profiles/local", ""),
    ],
)
def test_only_what_is_near_is_offered(name: str, hint: str) -> None:
    """For a path its neighbours, for a name the profiles that are searched."""
    with pytest.raises(ProfileError) as raised:
        load_profile(name, environ={})

    assert raised.value.hint == hint


def test_a_key_in_place_of_a_name_is_not_repeated() -> None:
    """As in a script whose variables are mixed up."""
    for name in ("sk-proj-abcdefghijkl", "./sk-proj-abcdefghijkl.toml"):
        with pytest.raises(ProfileError) as raised:
            load_profile(name, environ={})
        assert "abcdef" not in raised.value.message + raised.value.hint


def test_many_names_are_cut(write: Any) -> None:
    """And it is said that there are more."""
    for number in range(12):
        write(f"profiles/x{number:02}.toml", OPENAI)
    with pytest.raises(ProfileError) as raised:
        load_profile("zzz", environ={})

    assert "x06, x07, …; built in: " in raised.value.hint


@pytest.mark.parametrize("name", ["...toml", "./....toml", ".."])
def test_a_name_of_dots_is_none(write: Any, name: str) -> None:
    """It would be the folder above in the path of a transcript."""
    write("...toml", OPENAI)
    write("....toml", OPENAI)
    write("profiles/...toml", OPENAI)
    with pytest.raises(ProfileError, match="has only dots for a name"):
        load_profile(name, environ={})
