"""What comes out: five kinds, and the placeholders of their paths."""

from typing import Any

import pytest

from runner.settings.output import PLACEHOLDERS, AudioOutput, Output, PathTemplate, SpeakerOutput, StdoutOutput
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
    assert refused(Output, {"kind": kind, **BASES[kind]}) == {}
    assert refused(Output, {"kind": kind, **BASES[kind], "max_queue_bytes": 1}) == {
        f"{kind}.max_queue_bytes": "greater_than_equal"
    }


@pytest.mark.parametrize("kind", [kind for kind, base in BASES.items() if base])
def test_a_file_has_a_path(refused: Refused, kind: str) -> None:
    """Every output to a file needs a path, and standard output takes none."""
    assert refused(Output, {"kind": kind}) == {f"{kind}.path": "missing"}
    assert refused(Output, {"kind": kind, "path": ""}) == {f"{kind}.path": "string_too_short"}
    assert refused(Output, {"kind": "stdout", "path": "a"}) == {"stdout.path": "extra_forbidden"}


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


@pytest.mark.parametrize("path", ["{user}", "{}", "{0}", "{started:%Y}", "{session!r}", "{profile.name}", "{", "a}"])
def test_a_path_takes_no_other_field(refused: Refused, path: str) -> None:
    """An unknown name, a format, a conversion and a lone brace are refused."""
    assert refused(PathTemplate, path) == {"": "value_error"}
