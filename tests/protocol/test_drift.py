"""What was asked for and what holds."""

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.profile import load_profile
from runner.profile.builtin_profiles import builtin_profiles
from runner.protocol import drift
from runner.protocol.drift import Drift, differences
from runner.protocol.preview import from_preview, to_preview
from runner.protocol.session_update import session_update
from tests.api.test_client_events import FULL_SESSION
from tests.conftest import REPOSITORY
from tests.helpers.local_client import Wire, new_session

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)
SESSIONS = st.dictionaries(st.text() | st.sampled_from(["tools", "audio", "max_output_tokens"]), JSON, max_size=6)
IDENTITY = {"type", "id", "object", "expires_at", "model"}
"""What no update changes."""
FUNCTION = {"type": "function", "name": "look_up", "parameters": {"type": "object", "required": []}}
MCP = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://example.com",
    "authorization": "hush",
    "headers": {"X-Key": "hush"},
}


def effective(asked: dict[str, Any]) -> dict[str, Any]:
    """What the local endpoint makes of it."""
    return Wire(new_session(kind=asked["type"])).update(**asked)


PROFILES = [
    each
    for each in (*builtin_profiles(), *sorted((REPOSITORY / "profiles").glob("*.toml")))
    if each.stem not in {"interpret", "live-local", "receptionist-live"}
]
"""Translations and Live sessions are no sessions of this server's base class."""


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_endpoint_does_what_our_profiles_ask_for(path: Path) -> None:
    """No profile that comes with rt-run drifts on the local endpoint."""
    asked = session_update(load_profile(path, environ={}).profile)["session"]

    assert differences(asked, effective(asked)) == []


def test_every_field_of_the_api_can_be_asked_for() -> None:
    """What the API takes without ever showing it is no drift."""
    asked = FULL_SESSION.model_dump(mode="json", exclude_unset=True)
    asked.pop("model", None)

    assert differences(asked, effective(asked)) == []


def heard(**incoming: Any) -> dict[str, Any]:
    """A session with these settings of incoming audio."""
    return {"audio": {"input": incoming}}


EQUAL = [
    ({}, {"instructions": "Be brief."}),
    ({"type": "realtime"}, {}),
    ({"audio": {"output": {"speed": 0.8}}}, {"audio": {"output": {"speed": 0.800000011920929, "voice": "marin"}}}),
    ({"audio": {"output": {"speed": 1.0}}}, {"audio": {"output": {"speed": 1}}}),
    ({"audio": {"output": {"voice": {"id": "voice_1"}}}}, {"audio": {"output": {"voice": "voice_1"}}}),
    ({"audio": {"output": {"voice": "voice_1"}}}, {"audio": {"output": {"voice": {"id": "voice_1"}}}}),
    ({"truncation": "auto"}, {"truncation": {"type": "auto"}}),
    (heard(format={"type": "audio/pcm"}), heard(format={"type": "audio/pcm", "rate": 24000})),
    (heard(noise_reduction={"type": "near_field", "strength": 0.5}), heard(noise_reduction={"type": "near_field"})),
    (heard(transcription={"keywords": ["x"], "delay": "low"}), heard(transcription={"model": "whisper-1"})),
    (
        {"type": "transcription", **heard(turn_detection={"type": "server_vad", "create_response": False})},
        {"type": "transcription", **heard(turn_detection={"type": "server_vad"})},
    ),
    ({"type": "translation", "audio": {"input": {"noise_reduction": None}}}, {"type": "translation", "audio": {}}),
    ({"parallel_tool_calls": True}, {}),
    ({"new_field": 1}, {}),
    ({"instructions": ""}, {"instructions": None}),
    ({"instructions": "", "tools": [], "include": [], "prompt": None}, {}),
    (heard(turn_detection=None), {}),
    (heard(turn_detection=None), heard(turn_detection=None)),
    ({"tools": []}, {"tools": None}),
    *(({"max_output_tokens": "inf"}, {"max_output_tokens": each}) for each in ("inf", None, math.inf)),
    ({"max_output_tokens": "inf"}, {}),
    ({"max_output_tokens": None}, {"max_output_tokens": "inf"}),
    ({"tools": [FUNCTION, MCP]}, {"tools": [{"type": "mcp", **MCP, "authorization": None}, FUNCTION]}),
    ({"tools": [FUNCTION]}, {"tools": [{**FUNCTION, "parameters": {"type": "object"}}]}),
]


@pytest.mark.parametrize(("asked", "now"), EQUAL)
def test_the_same_in_other_words_is_no_drift(asked: dict[str, Any], now: dict[str, Any]) -> None:
    """Nor is a setting that was not asked for, or that the API never shows."""
    assert differences(asked, now) == []


DRIFTS = [
    ({"type": "realtime"}, {"type": "transcription"}, Drift("type", "realtime", "transcription")),
    (
        {"type": "translation", "audio": {"output": {"language": "de"}}},
        {"type": "translation", "audio": {"output": {}}},
        Drift("audio.output.language", "de", None, shown=False),
    ),
    ({"instructions": "a"}, {"instructions": "b"}, Drift("instructions", "a", "b")),
    ({"instructions": "a"}, {}, Drift("instructions", "a", None, shown=False)),
    ({"instructions": ""}, {"instructions": "b"}, Drift("instructions", "", "b")),
    ({"new_field": 1}, {"new_field": 2}, Drift("new_field", 1, 2)),
    ({"output_modalities": ["text"]}, {"output_modalities": ["audio"]}, Drift("output_modalities.0", "text", "audio")),
    ({"include": ["a"]}, {"include": ["a", "b"]}, Drift("include", ["a"], ["a", "b"])),
    ({"max_output_tokens": 100}, {"max_output_tokens": "inf"}, Drift("max_output_tokens", 100, "inf")),
    ({"max_output_tokens": "inf"}, {"max_output_tokens": 4096}, Drift("max_output_tokens", "inf", 4096)),
    ({"reasoning": {"effort": "low"}}, {}, Drift("reasoning", {"effort": "low"}, None, shown=False)),
    ({"reasoning": {"effort": "low"}}, {"reasoning": None}, Drift("reasoning", {"effort": "low"}, None)),
    ({"tracing": {"group_id": "g"}}, {"tracing": {}}, Drift("tracing.group_id", "g", None, shown=False)),
    ({"truncation": "disabled"}, {"truncation": {"type": "auto"}}, Drift("truncation", "disabled", "auto")),
    (heard(turn_detection=None), heard(turn_detection={"type": "x"}), Drift("audio.input.turn_detection", None, "x")),
    (
        heard(turn_detection={"type": "server_vad", "create_response": False}),
        heard(turn_detection={"type": "server_vad", "create_response": 0}),
        Drift("audio.input.turn_detection.create_response", False, 0),
    ),
    (
        heard(noise_reduction={"type": "near_field", "strength": 0.5}),
        heard(noise_reduction={"type": "near_field", "strength": 1}),
        Drift("audio.input.noise_reduction.strength", 0.5, 1),
    ),
    ({"audio": {"output": {"speed": 1}}}, {}, Drift("audio", {"output": {"speed": 1}}, None, shown=False)),
    ({"tools": [FUNCTION]}, {"tools": []}, Drift("tools.look_up", FUNCTION, None, shown=False)),
    ({"tools": []}, {"tools": [FUNCTION]}, Drift("tools.look_up", None, FUNCTION)),
    (
        {"tools": [FUNCTION]},
        {"tools": [{**FUNCTION, "parameters": {"type": "string"}}]},
        Drift("tools.look_up.parameters.type", "object", "string"),
    ),
    (
        {"tools": [{**FUNCTION, "name": "headers"}]},
        {"tools": [{**FUNCTION, "name": "headers", "type": "x"}]},
        Drift("tools.headers.type", "function", "x"),
    ),
    ({"speed": 10**400}, {"speed": 1.5}, Drift("speed", 10**400, 1.5)),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "now", "expected"), DRIFTS)
def test_what_differs_is_found_with_both_values(asked: dict[str, Any], now: dict[str, Any], expected: Drift) -> None:
    """At the setting that differs, or where the endpoint stops showing anything."""
    (found,) = differences(asked, now)

    assert found.path == expected.path
    assert (found.asked, found.shown) == (expected.asked, expected.shown)
    assert found.effective in (expected.effective, {"type": expected.effective})


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"tools": None},
        {"tools": []},
        {"tools": [{**MCP, "server_url": "https://other.example.com"}]},
        {"tools": [{**MCP, "server_label": "other"}]},
        {"tools": [MCP, MCP]},
        {"tools": [MCP, {"no": "name", "headers": "hush"}]},
        {"tools": {"docs": MCP}},
    ],
)
def test_secrets_of_tools_are_in_no_report(now: dict[str, Any]) -> None:
    """Wherever the difference is, and whichever side has them."""
    found = differences({"tools": [MCP]}, now)

    assert found
    assert "hush" not in repr(found) + "".join(map(str, found))


def test_a_report_is_one_short_line() -> None:
    """However long the values are, and whatever characters the endpoint puts into them."""
    (long,) = differences({"instructions": "x" * 10_000}, {"instructions": "\x1b[2J\u2028\x9b\ud800\n" * 1000})
    (missing,) = differences({"audio": {"output": {"speed": 1.2}}}, {"audio": {"output": {}}})
    (extra,) = differences({"tools": []}, {"tools": [{"type": "function", "name": "n\n" * 1000}]})

    for each in (long, extra):
        assert len(str(each)) < 300
        assert str(each).isprintable()
    assert str(missing) == "`session.audio.output.speed` is missing, asked for was 1.2"


@pytest.mark.parametrize("kind", ["RealtimeSession", "RealtimeTranscriptionSession", "RealtimeTranslationSession"])
def test_what_counts_as_shown_is_what_the_schema_shows(kind: str) -> None:
    """Field for field, where the official schema is beside this checkout."""
    schema = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
    if not schema.exists():
        pytest.skip("the official schema is not beside this checkout")
    definitions = json.loads(schema.read_text())["$defs"]
    shown: dict[str, Any] = {**drift._SHOWN}
    if kind == "RealtimeTranscriptionSession":
        shown |= drift._SHOWN_IN["transcription"]
        shown = {path: names for path, names in shown.items() if path.startswith("audio.input")}
    elif kind == "RealtimeTranslationSession":
        shown |= drift._SHOWN_IN["translation"]
        shown.pop("audio.input.turn_detection")
    response = definitions.get(f"{kind}CreateResponseGA") or definitions[kind]

    for path, names in shown.items():
        place = [response]
        for name in path.split(".") if path else ():
            place = _objects([each["properties"][name] for each in place if name in each["properties"]], definitions)
        fields = set().union(*(each["properties"] for each in place))
        assert fields - (set() if path else IDENTITY) == names


def _objects(schemas: list[Any], definitions: Any) -> list[Any]:
    found = []
    for schema in schemas:
        resolved = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        found += _objects(resolved["anyOf"], definitions) if "anyOf" in resolved else [resolved]
    return [each for each in found if "properties" in each]


def test_the_preview_dialect_drifts_no_more_than_the_current_one() -> None:
    """A session that goes out and comes back in the words of the preview is the one that was asked for."""
    asked = {
        "type": "realtime",
        "instructions": "Be brief.",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
            "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy", "speed": 1.1},
        },
    }
    flat = to_preview({"type": "session.update", "session": asked})["session"]

    assert differences(asked, from_preview({"type": "session.updated", "session": flat})["session"]) == []


@given(SESSIONS)
def test_what_holds_as_asked_never_drifts(session: dict[str, Any]) -> None:
    """Whatever it is."""
    assert differences(session, deepcopy(session)) == []


@given(SESSIONS, SESSIONS)
def test_any_two_objects_can_be_compared(asked: dict[str, Any], now: dict[str, Any]) -> None:
    """The endpoint may send what it likes; each difference can be reported."""
    for each in differences(asked, now):
        assert len(str(each)) < 300
