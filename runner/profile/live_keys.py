"""Keys of a realtime session that a Live session does not have, and what there is instead."""

from collections.abc import Iterable
from typing import Any, Final

from runner.profile.keys import Key, at
from runner.profile.layers import Layer
from runner.profile.problems import Problem, problem_at

_DECIDES = "the model decides by itself when to speak; remove it"
_VOICE = "a Live session always speaks; remove it"
_BACKEND = "write it in session.delegation.responses, whose model uses tools"
_HINTS: Final[dict[Key, str]] = {
    ("output_modalities",): _VOICE,
    ("include",): "remove it",
    ("tracing",): "remove it",
    ("tools",): _BACKEND,
    ("tool_choice",): _BACKEND,
    ("parallel_tool_calls",): _BACKEND,
    ("reasoning",): _BACKEND,
    ("max_output_tokens",): _BACKEND,
    ("truncation",): "the endpoint keeps the conversation within bounds by itself; remove it",
    ("prompt",): "write session.instructions",
    ("audio", "input"): f"{_DECIDES.removesuffix('; remove it')}, and what is said is always written down; remove it",
    ("audio", "output", "format"): 'write session.audio.format = { type = "audio/pcm", rate = 24000 }, for both ways',
    ("audio", "output", "speed"): "say in session.instructions how fast it speaks",
}


def live_hint(key: Key, tree: dict[str, Any]) -> str:
    """What to do about a key of a realtime session in a Live one; empty where it is no such key."""
    if key[:1] != ("session",) or at(tree, ("session", "type")) != "live":
        return ""
    return _HINTS.get(key[1:], "")


def becomes_live(under: dict[str, Any], over: dict[str, Any]) -> bool:
    """Whether a layer makes a Live session of the realtime one that the layers below it say."""
    return over.get("type") == "live" and under.get("type", "realtime") == "realtime"


def without_realtime_keys(session: dict[str, Any]) -> dict[str, Any]:
    """What a realtime session says, without what a Live session does not have."""
    return _without(session, ())


def _without(table: dict[str, Any], key: Key) -> dict[str, Any]:
    kept = {name: value for name, value in table.items() if (*key, name) not in _HINTS}
    return {name: _without(each, (*key, name)) if isinstance(each, dict) else each for name, each in kept.items()}


def left_out(layers: Iterable[Layer]) -> list[Problem]:
    """What the layers of a valid Live profile say that it does not have: each says it of a realtime session."""
    found = []
    for layer in layers:
        for name, hint in _HINTS.items():
            key = ("session", *name)
            if at(layer.data, key) is not None:
                problem = "left out, since a later layer has made a Live session of this one, which has none"
                advice = hint.removesuffix("remove it").rstrip("; ")
                found.append(problem_at(layer.place(key, "key"), key, problem, advice, code="left-out"))
    return found
