"""Keys of a realtime session that a Live session does not have, and what there is instead."""

from typing import Any, Final

from runner.profile.keys import Key, at

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
