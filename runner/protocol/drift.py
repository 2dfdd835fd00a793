"""Drift: where the endpoint's configuration is not what the client asked for."""

import json
import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from runner.protocol.json_fields import JsonObject
from runner.protocol.session_format import DIRECTIONS, format_of, unusable_rate
from runner.protocol.severity import plain
from runner.redaction import excerpt

_LONGEST_TEXT = 80
_SECRET = frozenset({"authorization", "headers"})
"""Keys of a tool that hold secrets for its server: they are neither compared nor shown, wherever they stand."""
_UNLIMITED = (None, "inf", math.inf)

_Shown = Mapping[str, frozenset[str]]

_SHOWN: _Shown = {
    "": frozenset(
        {"audio", "include", "instructions", "max_output_tokens", "output_modalities", "prompt", "reasoning"}
        | {"tool_choice", "tools", "tracing", "truncation"}
    ),
    "audio": frozenset({"input", "output"}),
    "audio.input": frozenset({"format", "noise_reduction", "transcription", "turn_detection"}),
    "audio.input.noise_reduction": frozenset({"type"}),
    "audio.input.transcription": frozenset({"language", "languages", "model", "prompt"}),
    "audio.input.turn_detection": frozenset(
        {"type", "threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms", "eagerness"}
        | {"create_response", "interrupt_response"}
    ),
    "audio.output": frozenset({"format", "speed", "voice"}),
}
"""The keys of these objects that the endpoint shows, by the API's schema; of other objects it shows every key."""
_SHOWN_IN: Mapping[str, _Shown] = {
    "transcription": {
        "audio.input.turn_detection": frozenset({"type", "threshold", "prefix_padding_ms", "silence_duration_ms"}),
    },
    "translation": {
        "": frozenset({"audio"}),
        "audio.input": frozenset({"noise_reduction", "transcription"}),
        "audio.input.noise_reduction": frozenset({"type", "strength"}),
        "audio.input.transcription": frozenset({"model"}),
        "audio.output": frozenset({"language"}),
    },
    "live": {
        "": frozenset({"audio", "delegation", "instructions", "model", "store", "triggers"}),
        "audio": frozenset({"format", "output"}),
        "audio.output": frozenset({"voice"}),
    },
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One setting that is not as it was asked for; as text, one line of bounded length."""

    path: str
    """The setting below `session`, such as `audio.output.speed`; an element of a list by name or position."""
    asked: object
    """What the client asked for, without secrets; None for what it cleared, and for a tool that it did not name."""
    effective: object
    """What the endpoint reports, without secrets; None where it reports nothing."""
    shown: bool = True
    """Whether the endpoint shows the setting at all."""

    def __str__(self) -> str:
        now = f"is {_brief(self.effective)}" if self.shown else "is missing"
        wanted = "asked for was none" if self.asked is None else f"asked for was {_brief(self.asked)}"
        return plain(f"`session.{_cut(self.path)}` {now}, {wanted}")


def differences(asked: JsonObject, effective: JsonObject) -> list[Drift]:
    """The settings that are not as they were asked for; those that were not asked for are the endpoint's to choose.

    Args:
        asked: The `session` object of a `session.update`; with its `type` also where none was sent.
        effective: The one of the `session.updated` that answered it.
    """
    kind = asked.get("type")
    shown = _SHOWN_IN.get(kind, {}) if isinstance(kind, str) else {}
    found = list(_in_object("", asked, effective, {**_SHOWN, **shown}))
    return [*found, *_unusable_rates(effective, {each.path for each in found})]


def _unusable_rates(effective: JsonObject, found: Set[str]) -> Iterator[Drift]:
    """The rates that no audio has: 24 kHz is used instead, whether or not a rate was asked for."""
    for direction in DIRECTIONS:
        path = f"audio.{direction}.format.rate"
        if path not in found and (rate := unusable_rate(effective, direction)) is not None:
            yield Drift(path, format_of({}, direction).rate, rate)


def _in_object(path: str, asked: JsonObject, effective: JsonObject, shown: _Shown) -> Iterator[Drift]:
    for name, value in asked.items():
        if name in _SECRET:
            continue
        below = f"{path}.{name}" if path else name
        if name in effective:
            yield from _in_value(below, value, effective[name], shown)
        elif name in shown.get(path, asked) and not _is_clear(value) and not _is_unlimited(below, value):
            yield Drift(below, _public(value), None, shown=False)


def _in_value(path: str, asked: Any, effective: Any, shown: _Shown) -> Iterator[Drift]:
    if isinstance(asked, dict) and isinstance(effective, dict):
        yield from _in_object(path, asked, effective, shown)
    elif isinstance(asked, list) and isinstance(effective, list):
        yield from _in_list(path, asked, effective, shown)
    elif _is_unlimited(path, asked) and _is_unlimited(path, effective):
        return
    elif not (_is_clear(asked) and _is_clear(effective)) and not _same(asked, effective):
        yield Drift(path, _public(asked), _public(effective))


def _in_list(path: str, asked: list[Any], effective: list[Any], shown: _Shown) -> Iterator[Drift]:
    wanted, present = _by_name(asked), _by_name(effective)
    if path == "tools" and wanted is not None and present is not None:
        for name, tool in wanted.items():
            if name in present:
                yield from _in_object(f"{path}.{name}", tool, present[name], shown)
            else:
                yield Drift(f"{path}.{name}", _public(tool), None, shown=False)
        for name, tool in present.items():
            if name not in wanted:
                yield Drift(f"{path}.{name}", None, _public(tool))
    elif len(asked) == len(effective):
        for index, (one, other) in enumerate(zip(asked, effective, strict=True)):
            yield from _in_value(f"{path}.{index}", one, other, shown)
    else:
        yield Drift(path, _public(asked), _public(effective))


def _by_name(tools: list[Any]) -> JsonObject | None:
    """Tools by name, MCP servers by label; None where one has neither or two have the same."""
    named = {
        name: each
        for each in tools
        if isinstance(each, dict) and isinstance(name := each.get("name") or each.get("server_label"), str)
    }
    return named if len(named) == len(tools) else None


def _is_clear(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_clear(each) for each in value.values())
    return value is None or value in ("", [])


def _is_unlimited(path: str, value: Any) -> bool:
    return path == "max_output_tokens" and value in _UNLIMITED


def _same(asked: Any, effective: Any) -> bool:
    if isinstance(effective, str):
        asked = _word(asked)
    elif isinstance(asked, str):
        effective = _word(effective)
    if isinstance(asked, bool) or isinstance(effective, bool):
        return asked is effective
    if isinstance(asked, float | int) and isinstance(effective, float | int):
        try:
            return asked == effective or math.isclose(asked, effective, rel_tol=1e-6, abs_tol=1e-9)
        except OverflowError:
            return False
    return bool(asked == effective)


def _word(value: Any) -> Any:
    """The word that an object stands for: `{"id": "voice_1"}` and `{"type": "auto"}` also come as strings."""
    match value:
        case {"id": word, **rest} | {"type": word, **rest} if not rest:
            return word
    return value


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(each) for name, each in value.items() if name not in _SECRET}
    return [_public(each) for each in value] if isinstance(value, list) else value


def _brief(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return excerpt(text, _LONGEST_TEXT)
