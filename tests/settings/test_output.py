"""What comes out: five kinds, and the placeholders of their paths."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from runner.settings.journal import JournalSettings
from runner.settings.output import PLACEHOLDERS, AudioOutput, OutputSettings, PathTemplate, SpeakerOutput, StdoutOutput
from tests.settings.conftest import Refused

BASES: dict[str, dict[str, Any]] = {
    "stdout": {},
    "events": {"path": "events.jsonl"},
    "transcript": {"path": "said.jsonl"},
    "audio": {"path": "said.wav"},
    "speaker": {},
}
"""The least that each kind needs."""


@pytest.mark.parametrize("kind", BASES)
def test_every_kind_bounds_what_waits(refused: Refused, kind: str) -> None:
    """A slow reader ends a session, and does not fill the memory."""
    assert refused(OutputSettings, {"kind": kind, **BASES[kind]}) == {}
    assert refused(OutputSettings, {"kind": kind, **BASES[kind], "max_queue_bytes": 1}) == {
        f"{kind}.max_queue_bytes": "greater_than_equal"
    }


@pytest.mark.parametrize("kind", [kind for kind, base in BASES.items() if base])
def test_a_file_has_a_path(refused: Refused, kind: str) -> None:
    """Every output to a file needs a path, and standard output takes none."""
    assert refused(OutputSettings, {"kind": kind}) == {f"{kind}.path": "missing"}
    assert refused(OutputSettings, {"kind": kind, "path": ""}) == {f"{kind}.path": "string_too_short"}
    assert refused(OutputSettings, {"kind": "stdout", "path": "a"}) == {"stdout.path": "extra_forbidden"}


def test_the_defaults() -> None:
    """Text as it comes, the answers' track, and a little patience with the network."""
    assert (StdoutOutput(kind="stdout").format, StdoutOutput(kind="stdout").pace) == ("text", "fast")
    assert AudioOutput(kind="audio", path="a.wav").track == "output"
    assert (SpeakerOutput(kind="speaker").buffer_ms, SpeakerOutput(kind="speaker").on_device_lost) == (60, "fail")


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
def test_a_path_may_name_what_runs(refused: Refused, name: str) -> None:
    """A placeholder is valid alone and beside escaped braces."""
    assert refused(PathTemplate, f"out/{{{name}}}.wav") == {}
    assert refused(PathTemplate, f"{{{{x}}}}-{{{name}}}") == {}


@pytest.mark.parametrize("path", ["{}", "{0}", "{started:%Y}", "{session!r}", "{profile.name}", "{", "a}"])
def test_a_path_takes_no_other_field(refused: Refused, path: str) -> None:
    """A number, a format, a conversion and a lone brace are refused."""
    assert refused(PathTemplate, path) == {"": "value_error"}


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
