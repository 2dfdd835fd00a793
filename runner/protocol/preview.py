"""The deprecated preview dialect, translated at the edge so that everything inside knows one protocol.

`to_preview` is applied to what goes out, `from_preview` to what comes in. The differences are those between Azure's
2025-04-01-preview and the current API: a flat session object, other names of response events, and other content types.
"""

from typing import Any

from runner.protocol.json_fields import JsonObject

PREVIEW_NAMES = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "transcription_session.updated": "session.updated",
    "transcription_session.created": "session.created",
}
"""The names of server events in the preview protocol, with those of the current one."""
_FLAT_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_FORMATS = {flat: {"type": name} for name, flat in _FLAT_FORMATS.items()} | {
    "pcm16": {"type": "audio/pcm", "rate": 24000}
}
_CONTENT = {"text": "output_text", "audio": "output_audio"}
_FLAT_CONTENT = {current: flat for flat, current in _CONTENT.items()}
_INPUT_FIELDS = {
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_FLAT_FIELDS = frozenset(_INPUT_FIELDS) | {
    "input_audio_format",
    "output_audio_format",
    "voice",
    "speed",
    "modalities",
    "max_response_output_tokens",
}
_TRANSCRIPTION = "realtime.transcription_session"


def to_preview(event: JsonObject) -> JsonObject:
    """A client event of the current protocol in the words of the preview one; the event itself is not changed."""
    match event:
        case {"type": "session.update", "session": dict(session)}:
            kind = "transcription_session.update" if session.get("type") == "transcription" else "session.update"
            return {**event, "type": kind, "session": _flat_session(session)}
        case {"type": "response.create", "response": dict(response)}:
            return {**event, "response": _flat_response(response)}
        case {"type": "conversation.item.create", "item": dict(item)}:
            return {**event, "item": _item(item, _FLAT_CONTENT)}
    return event


def current_session(session: JsonObject) -> JsonObject:
    """A session object in the words of the current protocol, of whichever protocol it is."""
    if "audio" in session or not _FLAT_FIELDS & session.keys():
        return session
    return _nested_session(session, transcription=session.get("object") == _TRANSCRIPTION)


def from_preview(event: JsonObject) -> JsonObject:
    """A server event of the preview protocol in the words of the current one; unknown events come back as they are."""
    kind = event.get("type")
    if not isinstance(kind, str):
        return event
    event = {**event, "type": PREVIEW_NAMES.get(kind, kind)}
    if isinstance(session := event.get("session"), dict):
        transcription = kind.startswith("transcription_session") or session.get("object") == _TRANSCRIPTION
        event["session"] = _nested_session(session, transcription=transcription)
    if isinstance(item := event.get("item"), dict):
        event["item"] = _item(item, _CONTENT)
    if isinstance(response := event.get("response"), dict):
        event["response"] = _nested_response(response)
    return event


def _item(item: JsonObject, content_types: dict[str, str]) -> JsonObject:
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, list):
        return item
    return {
        **item,
        "content": [
            {**part, "type": content_types.get(part["type"], part["type"])}
            if isinstance(part, dict) and isinstance(part.get("type"), str)
            else part
            for part in content
        ],
    }


def _flat_session(session: JsonObject) -> JsonObject:
    flat = _flat_response(session)
    audio = _object(session, "audio")
    incoming, outgoing = _object(audio, "input"), _object(audio, "output")
    if isinstance(form := incoming.get("format"), dict):
        flat["input_audio_format"] = _flat_format(form)
    for flat_key, key in _INPUT_FIELDS.items():
        if key in incoming:
            flat[flat_key] = incoming[key]
    if "speed" in outgoing:
        flat["speed"] = outgoing["speed"]
    return flat


def _flat_response(response: JsonObject) -> JsonObject:
    flat: JsonObject = {}
    for key, value in response.items():
        match key, value:
            case "output_modalities", list(modalities):
                # The preview protocol has no audio without its transcript.
                flat["modalities"] = ["audio", "text"] if "audio" in modalities else modalities
            case "max_output_tokens", _:
                flat["max_response_output_tokens"] = value
            case "audio", {"output": dict(outgoing)}:
                flat |= _flat_output(outgoing)
            case "audio", _:
                pass
            case "input", list(items):
                flat["input"] = [_item(each, _FLAT_CONTENT) if isinstance(each, dict) else each for each in items]
            case "type", _:
                pass
            case _:
                flat[key] = value
    return flat


def _flat_output(outgoing: JsonObject) -> JsonObject:
    flat: JsonObject = {}
    if "voice" in outgoing:
        flat["voice"] = outgoing["voice"]
    if isinstance(form := outgoing.get("format"), dict):
        flat["output_audio_format"] = _flat_format(form)
    return flat


def _flat_format(form: JsonObject) -> Any:
    name = form.get("type")
    return _FLAT_FORMATS.get(name, name) if isinstance(name, str) else name


def _object(parent: JsonObject, key: str) -> JsonObject:
    # What is no object here is the endpoint's to refuse.
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _nested_session(session: JsonObject, *, transcription: bool) -> JsonObject:
    # What neither protocol names differently passes, known or not.
    nested: JsonObject = {key: value for key, value in session.items() if key not in _FLAT_FIELDS}
    nested["type"] = "transcription" if transcription else "realtime"
    incoming: JsonObject = {key: session[flat] for flat, key in _INPUT_FIELDS.items() if flat in session}
    outgoing: JsonObject = {key: session[key] for key in ("voice", "speed") if key in session}
    for flat, side in (("input_audio_format", incoming), ("output_audio_format", outgoing)):
        if isinstance(form := session.get(flat), str):
            side["format"] = _FORMATS.get(form, {"type": form})
    nested["audio"] = {"input": incoming} if transcription else {"input": incoming, "output": outgoing}
    if isinstance(modalities := session.get("modalities"), list):
        nested["output_modalities"] = _modalities(modalities)
    if "max_response_output_tokens" in session:
        nested["max_output_tokens"] = session["max_response_output_tokens"]
    return nested


def _nested_response(response: JsonObject) -> JsonObject:
    nested = dict(response)
    if isinstance(output := nested.get("output"), list):
        nested["output"] = [_item(each, _CONTENT) if isinstance(each, dict) else each for each in output]
    if isinstance(modalities := nested.pop("modalities", None), list):
        nested["output_modalities"] = _modalities(modalities)
    return nested


def _modalities(modalities: list[Any]) -> list[Any]:
    return ["audio"] if "audio" in modalities else modalities
