"""The items of a conversation as messages of chat completions, and the session's tools as theirs."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from runner.local.session.item_store import StoredItem
from runner.protocol.json_text import loads

_INAUDIBLE: Final = "(inaudible)"
"""What the model reads where the user's words were not understood."""
_NO_OUTPUT: Final = "There is no result yet."


def messages_of(items: Iterable[StoredItem], instructions: str) -> list[dict[str, Any]]:
    """The messages of these items: each call of a function with its output right behind it, as servers want them."""
    stored = list(items)
    outputs = {each.item["call_id"]: each.item["output"] for each in stored if _is(each, "function_call_output")}
    called = {each.item["call_id"] for each in stored if _is(each, "function_call")}
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    rest = [each for each in stored if not (_is(each, "function_call_output") and each.item["call_id"] in called)]
    for is_call, group in groupby(rest, key=lambda each: _is(each, "function_call")):
        if is_call:
            messages += _called([each.item for each in group], outputs)
        else:
            messages += filter(None, map(_message, group))
    return messages


def chat_tools(functions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The functions of a session as tools of chat completions."""
    kept = ("name", "description", "parameters")
    return [{"type": "function", "function": {key: each[key] for key in kept if key in each}} for each in functions]


def _is(stored: StoredItem, kind: str) -> bool:
    return bool(stored.item["type"] == kind)


def _called(calls: Sequence[Mapping[str, Any]], outputs: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    yield {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": call["call_id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": valid_arguments(call["arguments"])},
            }
            for call in calls
        ],
    }
    for call in calls:
        output = outputs.get(call["call_id"], _NO_OUTPUT)
        yield {"role": "tool", "tool_call_id": call["call_id"], "content": output}


def valid_arguments(text: str) -> str:
    """The arguments of a call as they were written, or none: servers refuse what is no JSON object."""
    try:
        return text if isinstance(loads(text), dict) else "{}"
    except ValueError:
        return "{}"


def _message(stored: StoredItem) -> dict[str, Any] | None:
    """The message of an item that is no call; None of one without words and images."""
    item = stored.item
    role = "user" if item["type"] == "function_call_output" else item.get("role")
    parts = item.get("content", [])
    words = [part.get("text") or part.get("transcript") for part in parts]
    if stored.transcript not in words:
        words.append(stored.transcript)
    text = " ".join(filter(None, [*words, item.get("output")]))
    if not text and role == "user" and any(part["type"] == "input_audio" for part in parts):
        text = _INAUDIBLE
    images = [part for part in parts if part["type"] == "input_image"]
    if role is None or not (text or images):
        return None
    if not images:
        return {"role": role, "content": text}
    shown = [{"type": "image_url", "image_url": {"url": each["image_url"]}} for each in images]
    return {"role": role, "content": [*([{"type": "text", "text": text}] if text else []), *shown]}
