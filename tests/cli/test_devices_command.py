"""`rt-run devices` says what there is, and what is missing; `tests/inputs/test_microphone.py` has real devices."""

import json
import sys
from typing import Any

import pytest

from runner.installation import install_command
from tests.helpers.audio_hardware import need_portaudio


def test_the_list_is_complete_whatever_there_is(rt_run: Any) -> None:
    """Text and JSON tell of the same devices, and a machine without any is no failure."""
    need_portaudio()
    text, listed = rt_run("devices"), rt_run("devices", "--output", "json")
    found = json.loads(listed.out)

    assert (text.code, listed.code) == (0, 0)
    if found:
        assert [line.split()[0] for line in text.out.splitlines()] == [str(each["number"]) for each in found]
    else:
        assert text.out == "no audio devices\n"


def test_without_the_library_the_extra_is_named(rt_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a microphone itself."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    outcome = rt_run("devices")

    assert outcome.code == 78
    assert "need sounddevice" in outcome.err
    assert install_command("audio") in outcome.err
