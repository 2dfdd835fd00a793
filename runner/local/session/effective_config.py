"""The effective configuration of a session: the server's defaults, changed by updates."""

import copy
from typing import Any, Final, Literal

from runner.local.session.api_error import ApiError

SessionKind = Literal["realtime", "transcription"]

_SERVER_VAD: Final[dict[str, Any]] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Final[dict[str, Any]] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "audio/pcm": {"type": "audio/pcm", "rate": 24000},
    "audio/pcmu": {"type": "audio/pcmu"},
    "audio/pcma": {"type": "audio/pcma"},
}
_NULLABLE: Final = {"transcription", "noise_reduction", "turn_detection", "idle_timeout_ms", "tracing", "prompt"}
_OPAQUE: Final = {"parameters", "metadata", "variables", "input_schema", "annotations"}
# Fields that the API takes but, by its schema, never shows.
_HIDDEN: Final = {
    "noise_reduction": {"strength"},
    "transcription": {"keywords", "delay"},
    "tools": {"authorization", "headers"},
}
_TRANSCRIPTION_VAD: Final = ("type", "threshold", "prefix_padding_ms", "silence_duration_ms")


class EffectiveConfig:
    """The effective configuration of a session.

    Args:
        kind: The type of the session, fixed for its life.
        model: The model that the client has asked for, fixed for the session's life.
        session_id: The session's id.
        expires_at: When the session ends, in Unix seconds.
        instructions: The server's default instructions.
        is_deployment: Whether `model` is the name of a deployment, so that a client may say which model that has.
    """

    def __init__(
        self,
        kind: SessionKind,
        *,
        model: str,
        session_id: str,
        expires_at: int,
        instructions: str = "",
        is_deployment: bool = False,
    ) -> None:
        self.kind = kind
        self.model = model
        self._is_deployment = is_deployment
        self._instructions = instructions
        self._identity = {
            "type": kind,
            "object": "realtime.session" if kind == "realtime" else "realtime.transcription_session",
            "id": session_id,
            "expires_at": expires_at,
        }
        self._values = self._defaults()

    def _defaults(self) -> dict[str, Any]:
        audio_input: dict[str, Any] = {
            "format": _FORMATS["audio/pcm"],
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": dict(_SERVER_VAD),
        }
        if self.kind == "transcription":
            return {"audio": {"input": audio_input}}
        return {
            "model": self.model,
            "output_modalities": ["audio"],
            "instructions": self._instructions,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "audio": {
                "input": audio_input,
                "output": {"format": _FORMATS["audio/pcm"], "voice": "marin", "speed": 1.0},
            },
        }

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def input(self) -> dict[str, Any]:
        """The `audio.input` object."""
        audio_input: dict[str, Any] = self._values["audio"]["input"]
        return audio_input

    @property
    def output(self) -> dict[str, Any]:
        """The `audio.output` object."""
        audio_output: dict[str, Any] = self._values["audio"]["output"]
        return audio_output

    def view(self) -> dict[str, Any]:
        """The whole configuration as `session.created` and `session.updated` show it."""
        shown = shown_as(copy.deepcopy(self._values))
        shown.pop("parallel_tool_calls", None)
        audio_input = shown["audio"]["input"]
        if self.kind == "transcription" and audio_input["turn_detection"]:
            audio_input["turn_detection"] = {
                key: audio_input["turn_detection"][key]
                for key in _TRANSCRIPTION_VAD
                if key in audio_input["turn_detection"]
            }
        return {**self._identity, **shown}

    def update(self, change: dict[str, Any], *, has_sent_audio: bool) -> None:
        """Merge the `session` of a valid update; `has_sent_audio` says whether the session has sent audio.

        Raises:
            ApiError: The update changes a field that is fixed; the whole update is then ignored.
        """
        self._check_fixed(change, has_sent_audio=has_sent_audio)
        audio = change.pop("audio", None) or {}
        defaults = self._defaults()
        for name, value in change.items():
            if name == "type":
                continue
            if value is None and name == "instructions":
                self._values[name] = ""
            elif value in (None, []) and name not in defaults:
                self._values.pop(name, None)
            else:
                self._values[name] = defaults.get(name) if value is None else value
        for side, merge in (("input", _merged_input), ("output", _merged_output)):
            if audio.get(side):
                self._values["audio"][side] |= merge(self._values["audio"][side], audio[side])

    def _check_fixed(self, change: dict[str, Any], *, has_sent_audio: bool) -> None:
        if change["type"] != self.kind:
            message = f"Passing a {change['type']} session update event to a {self.kind} session is not allowed."
            raise ApiError(message, code="invalid_parameter", param="session.type")
        if change.get("model") not in (None, self.model) and not self._is_deployment:
            message = f"The model of a session cannot be changed; this session runs '{self.model}'."
            raise ApiError(message, code="invalid_value", param="session.model")
        if self._values.get("tracing") and "tracing" in change and change["tracing"] != self._values["tracing"]:
            raise ApiError(
                "Tracing cannot be changed once it is enabled.", code="invalid_value", param="session.tracing"
            )
        output = (change.get("audio") or {}).get("output") or {}
        if has_sent_audio and output.get("voice") is not None and _voice(output["voice"]) != self.output["voice"]:
            raise ApiError(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param="session.audio.output.voice",
            )


def _merged_input(current: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(change)
    if "format" in change:
        merged["format"] = complete_format(change["format"])
    if change.get("turn_detection"):
        merged["turn_detection"] = _turn_detection(current["turn_detection"], change["turn_detection"])
    if change.get("noise_reduction"):
        merged["noise_reduction"] = {**(current["noise_reduction"] or {}), **change["noise_reduction"]}
    transcription, before = change.get("transcription"), current["transcription"]
    if transcription and before and transcription.get("model", before.get("model")) == before.get("model"):
        merged["transcription"] = {**before, **transcription}
    return merged


def _turn_detection(current: dict[str, Any] | None, change: dict[str, Any]) -> dict[str, Any]:
    if current is None or current["type"] != change["type"]:
        current = _SERVER_VAD if change["type"] == "server_vad" else _SEMANTIC_VAD
    given = {key: value for key, value in change.items() if value is not None or key == "idle_timeout_ms"}
    return {**current, **given}


def _merged_output(_current: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in change.items() if value is not None}
    if "format" in merged:
        merged["format"] = complete_format(merged["format"])
    if "voice" in merged:
        merged["voice"] = _voice(merged["voice"])
    return merged


def complete_format(given: dict[str, Any] | None) -> dict[str, Any]:
    """Complete a format by all its fields; None makes the default format."""
    return dict(_FORMATS[(given or {}).get("type", "audio/pcm")])


def _voice(given: str | dict[str, str]) -> str:
    return given if isinstance(given, str) else given["id"]


def shown_as(value: Any, *, within: str = "") -> Any:
    """A copy as the API shows it: without nulls, but for the fields that it shows as null."""
    if isinstance(value, list):
        return [shown_as(each, within=within) for each in value]
    if not isinstance(value, dict) or within in _OPAQUE:
        return value
    hidden = _HIDDEN.get(within, set())
    return {
        key: shown_as(each, within=key)
        for key, each in value.items()
        if (each is not None or key in _NULLABLE) and key not in hidden
    }
