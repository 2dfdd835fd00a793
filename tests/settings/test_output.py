"""What the settings of outputs say of themselves."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from runner.settings.journal import JournalSettings
from runner.settings.output import OutputSettings

FACTS = ("plays_answers", "records_input", "is_live", "file_path", "uses_stdout")
OUTPUTS: TypeAdapter[OutputSettings] = TypeAdapter(OutputSettings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "stdout"}, (False, False, False, None, True)),
        ({"kind": "stdout", "format": "events", "pace": "real-time"}, (False, False, False, None, True)),
        ({"kind": "stdout", "format": "audio"}, (True, False, False, None, True)),
        ({"kind": "stdout", "format": "audio", "pace": "real-time"}, (True, False, True, None, True)),
        ({"kind": "events", "path": "{run_id}"}, (False, False, False, "{run_id}", False)),
        ({"kind": "transcript", "path": "t"}, (False, False, False, "t", False)),
        ({"kind": "audio", "path": "a"}, (True, False, False, "a", False)),
        ({"kind": "audio", "path": "a", "track": "input"}, (False, True, False, "a", False)),
        ({"kind": "audio", "path": "a", "track": "both"}, (True, True, False, "a", False)),
        ({"kind": "speaker"}, (True, False, True, None, False)),
    ],
)
def test_an_output_says_what_others_need_to_know_of_it(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Where answers, the user's audio, files and standard output meet; none of it is a key of the profile."""
    output = OUTPUTS.validate_python(given)

    assert tuple(getattr(output, name) for name in FACTS) == expected
    assert not set(FACTS) & set(output.model_dump())


def test_a_journal_is_a_file_like_any_other() -> None:
    """Whoever looks for files that two sessions would share asks it as well."""
    assert JournalSettings(path="j/{session}").file_path == "j/{session}"


@pytest.mark.parametrize("path", ["{unknown}", "{session!r}", "{session:>3}", "{", "}{"])
def test_a_path_has_only_placeholders_that_there_are(path: str) -> None:
    """A typing error is found before a file of that name appears."""
    with pytest.raises(ValueError, match=r"unknown placeholder|braces must come in pairs"):
        OUTPUTS.validate_python({"kind": "events", "path": path})
