"""What goes in: four kinds, each with keys of its own."""

from typing import Any

import pytest

from runner.settings.input import FileInput, Input, MicrophoneInput, StdinInput
from tests.settings.conftest import Refused


def test_the_defaults_are_for_people() -> None:
    """Lines of text, a recording at the speed of speech, and the system's microphone."""
    assert StdinInput(kind="stdin").format == "text"
    assert FileInput.model_validate({"kind": "file", "path": "a.wav"}).pace == "real-time"
    assert MicrophoneInput(kind="microphone").device is None


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"kind": "none"}, {}),
        ({"kind": "none", "rate": 8000}, {"none.rate": "extra_forbidden"}),
        ({"kind": "stdin", "format": "audio", "rate": 3999}, {"stdin.rate": "greater_than_equal"}),
        ({"kind": "stdin", "format": "json"}, {"stdin.format": "literal_error"}),
        ({"kind": "stdin", "max_line_bytes": 1}, {"stdin.max_line_bytes": "greater_than_equal"}),
        ({"kind": "stdin", "trailing_silence_ms": 60_001}, {"stdin.trailing_silence_ms": "less_than_equal"}),
        ({"kind": "file"}, {"file.path": "missing"}),
        ({"kind": "file", "path": "a.wav", "pace": "slow"}, {"file.pace": "literal_error"}),
        ({"kind": "microphone", "device": 3}, {}),
        ({"kind": "microphone", "device": "USB"}, {}),
        ({"kind": "microphone", "on_device_lost": "wait"}, {"microphone.on_device_lost": "literal_error"}),
        ({"kind": "keyboard"}, {"": "union_tag_invalid"}),
    ],
)
def test_an_input_refuses(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """The kind decides which keys there are."""
    assert refused(Input, table) == errors


@pytest.mark.parametrize("device", [-1, ""])
def test_a_device_is_a_number_or_a_name(refused: Refused, device: Any) -> None:
    """A negative number and an empty name are refused."""
    found = refused(Input, {"kind": "microphone", "device": device})

    assert found
    assert all(place.startswith("microphone.device.") for place in found)
