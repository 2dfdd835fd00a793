"""The values of variables come from the environment, a file and flags, and are judged where they come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.profile import LoadedProfile, ProfileProblems, load_profile

PROFILE = """\
version = 1
[variables]
customer = { default = "there", max_length = 8 }
order = { required = true, pattern = '\\d+' }
[endpoint]
kind = "local"
"""


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., LoadedProfile]:
    """Load the profile with values for its variables."""
    (tmp_path / "p.toml").write_text(PROFILE)

    def loader(*flags: str, file: str | None = None, sets: tuple[str, ...] = (), **environ: str) -> LoadedProfile:
        if file is not None:
            (tmp_path / "v.json").write_text(file)
        path = Path("v.json") if file is not None else None
        return load_profile("p.toml", environ=environ, sets=sets, variables=flags, variables_file=path)

    return loader


def test_the_nearest_source_wins(given: Callable[..., LoadedProfile]) -> None:
    """A flag over the file, that over `--set`, that over the environment, that over the default; `show` says which."""
    weaker: list[tuple[str, str, dict[str, Any]]] = [
        ("p.toml", "there", {}),
        ("RT_RUN_VAR_CUSTOMER", "variable", {"RT_RUN_VAR_CUSTOMER": "variable"}),
        ("--set variables.customer.default", "set", {"sets": ("variables.customer.default=set",)}),
        ("--vars v.json", "file", {"file": '{"customer": "file"}'}),
    ]
    everything: dict[str, Any] = {}
    for source, value, given_here in weaker:
        everything |= given_here
        loaded = given(**everything)
        assert loaded.origins["variables.customer.default"].label == source
        assert loaded.profile.variables["customer"].default == value
        assert not loaded.warnings
    loaded = given("customer=lost", "customer=flag", **everything)
    assert loaded.origins["variables.customer.default"].label == "--var customer"
    assert loaded.profile.variables["customer"].default == "flag"


def test_a_file_holds_texts_numbers_and_booleans(given: Callable[..., LoadedProfile]) -> None:
    """As JSON writes them; null gives no value."""
    variables = given(file='{"customer": true, "order": 12345678901234567890}').profile.variables

    assert (variables["customer"].default, variables["order"].default) == ("true", "12345678901234567890")
    assert given(file='{"order": null}').profile.variables["order"].is_missing


@pytest.mark.parametrize(
    ("flags", "file", "problem"),
    [
        (["custmer=x"], None, "--var custmer: the profile has no variable 'custmer'; did you mean customer?"),
        (["weather=x"], None, "--var weather: the profile has no variable 'weather'; declare it"),
        (["customer"], None, "--var customer: must be NAME=VALUE; such as customer=Ada"),
        (["order=x"], None, "--var order: must match \\d+"),
        (["customer=123456789"], None, "--var customer: must have at most 8"),
        ([], '{"customer": [1]}', "--vars v.json: customer: must be a text, a number, or true or false"),
        ([], '{"custmer": 1}', "--vars v.json: the profile has no variable 'custmer'; did you mean customer?"),
        ([], "[1]", "--vars v.json: must hold one JSON object, a value for each variable"),
        ([], "{", "--vars v.json: is not JSON"),
        ([], "[" * 100_000, "--vars v.json: is not JSON"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_a_problem(
    given: Callable[..., LoadedProfile], flags: list[str], file: str | None, problem: str
) -> None:
    """With the place that it came from, and what was probably meant."""
    with pytest.raises(ProfileProblems) as raised:
        given(*flags, file=file)

    (found,) = raised.value.problems
    assert str(found).startswith(problem)


def test_a_variable_of_the_environment_that_the_profile_lacks_is_a_warning(
    given: Callable[..., LoadedProfile],
) -> None:
    """It may be another profile's; it is no unknown setting."""
    (warning,) = given(RT_RUN_VAR_CUSTMER="x").warnings

    assert str(warning) == "RT_RUN_VAR_CUSTMER: the profile has no variable 'custmer'; ignored; did you mean customer?"


def test_a_value_is_data(given: Callable[..., LoadedProfile]) -> None:
    """What looks like a key is taken from a caller, and refused in a file that says it is secret."""
    key = "sk-abcdefghij"
    assert given(f"customer={key[:8]}").profile.variables["customer"].default == key[:8]
    Path("p.toml").write_text(PROFILE.replace("max_length = 8", "secret = true"))
    with pytest.raises(ProfileProblems) as raised:
        load_profile("p.toml")
    assert [each.code for each in raised.value.problems] == ["literal-secret"]
    assert "RT_RUN_VAR_…" in str(raised.value)
