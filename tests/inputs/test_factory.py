"""The one input of a run, made from its profile."""

import sys
from pathlib import Path

import anyio
import pytest

from runner.inputs.broadcast import Broadcast
from runner.inputs.source import Source
from runner.settings.profile import Profile
from tests.helpers.hearing_peers import recording, tone


def test_a_recording_is_checked_against_the_format_that_the_wire_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`session.extra` is a part of the first `session.update`, so a rate that it sets needs no resampling."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    tables = {
        "version": 1,
        "endpoint": {"kind": "local"},
        "session": {"extra": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}},
        "input": {"kind": "file", "path": recording(tmp_path / "a.wav", tone(0.1, rate=16_000), rate=16_000)},
    }
    profile = Profile.model_validate(tables)
    source = Source(profile, Broadcast(0, max_line_bytes=1024), is_alone=True)

    anyio.run(source.open)
    source.close()
