"""The one input of a run, made from its profile."""

import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.inputs import factory
from runner.inputs.broadcast import Broadcast
from runner.inputs.factory import make_input
from runner.inputs.line_input import LineInput
from runner.inputs.piped_audio import PipedInput
from runner.inputs.plain_chat import PlainChat
from runner.inputs.recording import RecordedInput
from runner.inputs.session_input import EmptyInput, SessionInput
from runner.inputs.spoken_input import SpokenInput
from runner.protocol.session_update import session_update
from runner.settings.profile import Profile
from tests.helpers.hearing_peers import recording, tone


def profile_with(settings: dict[str, Any], **session: Any) -> Profile:
    """A profile with this input."""
    tables = {"version": 1, "endpoint": {"kind": "local"}, "session": session, "input": settings}
    return Profile.model_validate(tables)


def made(profile: Profile, *, is_alone: bool = True) -> SessionInput:
    """The input that a profile names."""
    return make_input(profile, Broadcast(0, max_line_bytes=1024), is_alone=is_alone)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"kind": "none"}, EmptyInput),
        ({"kind": "stdin"}, LineInput),
        ({"kind": "stdin", "format": "events"}, LineInput),
        ({"kind": "stdin", "format": "audio"}, PipedInput),
        ({"kind": "file", "path": "a.wav"}, RecordedInput),
        ({"kind": "microphone"}, SpokenInput),
    ],
)
def test_each_kind_of_input_is_made_from_its_settings(settings: dict[str, Any], kind: type[SessionInput]) -> None:
    """Closing one that was never opened does nothing."""
    it = made(profile_with(settings))

    assert type(it) is kind
    it.close()


@pytest.mark.parametrize(
    ("form", "is_alone", "kind"), [("text", True, PlainChat), ("text", False, LineInput), ("events", True, LineInput)]
)
def test_text_at_a_terminal_is_a_chat_for_one_run_alone(
    monkeypatch: pytest.MonkeyPatch, form: str, is_alone: bool, kind: type[SessionInput]
) -> None:
    """Several runs share what is typed, line by line."""
    monkeypatch.setattr(factory, "at_terminal", lambda: True)

    assert type(made(profile_with({"kind": "stdin", "format": form}), is_alone=is_alone)) is kind


def test_a_recording_is_checked_against_the_format_that_the_wire_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`session.extra` is a part of the first `session.update`, so a rate that it sets needs no resampling."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    path = recording(tmp_path / "a.wav", tone(0.1, rate=16_000), rate=16_000)
    extra = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}
    profile = profile_with({"kind": "file", "path": path}, extra=extra)
    it = made(profile)

    anyio.run(it.open, session_update(profile)["session"])
    it.close()
