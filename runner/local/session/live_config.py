"""The configuration of a Live session: what it was started with, completed, and changed where that is possible."""

import copy
from typing import Any, Final

from runner.audio.format import AudioFormat
from runner.local.session.api_error import ApiError, missing
from runner.local.session.effective_config import shown_as
from runner.local.session.live_conversation import LETTERS_PER_TOKEN

MAX_INSTRUCTION_TOKENS: Final = 16_384
MAX_HISTORY_TOKENS: Final = 8_192
MAX_CONTEXT_TOKENS: Final = 500
_DEFAULT_FORMAT: Final = {"type": "audio/pcm", "rate": 24000}
_SILENT_BYTES: Final = {"audio/pcm": b"\0", "audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}


def check_tokens(text: str, limit: int, param: str) -> None:
    """Refuse a text that has more tokens than so many, as far as its letters tell.

    Raises:
        ApiError: It has more.
    """
    tokens = -(-len(text) // LETTERS_PER_TOKEN)
    if tokens > limit:
        message = f"Invalid '{param}': it has about {tokens} tokens, and the most is {limit}."
        raise ApiError(message, code="token_limit_exceeded", param=param)


class LiveConfig:
    """The configuration of a Live session.

    Args:
        wanted: What the client has asked for, as `session.start` has it.
        session_id: The session's id.
        expires_at: When the session ends, in Unix seconds.
        instructions: The server's default instructions.

    Raises:
        ApiError: There is no model, or a text is too long.
    """

    def __init__(self, wanted: dict[str, Any], *, session_id: str, expires_at: int, instructions: str) -> None:
        given = _without_nulls(wanted)
        if "model" not in given:
            raise missing("session.model")
        check_tokens(given.get("instructions", ""), MAX_INSTRUCTION_TOKENS, "session.instructions")
        history = "".join(message["content"][0]["text"] for message in given.get("input", ()))
        check_tokens(history, MAX_HISTORY_TOKENS, "session.input")
        self._identity = {"id": session_id, "status": "active", "expires_at": expires_at}
        audio = given.get("audio", {})
        self._values: dict[str, Any] = {
            **given,
            "instructions": given.get("instructions", "").strip() or instructions,
            "audio": {
                "format": audio.get("format", dict(_DEFAULT_FORMAT)),
                "output": {"voice": audio.get("output", {}).get("voice", "marin")},
            },
            "delegation": _with_delay(given.get("delegation", {"type": "client"})),
            "input": given.get("input", []),
            "triggers": given.get("triggers", []),
            "store": given.get("store", False),
        }

    @property
    def audio_format(self) -> AudioFormat:
        """The format of the audio in both directions."""
        chosen = self._values["audio"]["format"]
        encoding = chosen["type"]
        return AudioFormat(encoding, chosen["rate"], 2 if encoding == "audio/pcm" else 1, _SILENT_BYTES[encoding])

    @property
    def instructions(self) -> str:
        """What the model is told."""
        return str(self._values["instructions"])

    @property
    def history(self) -> list[tuple[str, str]]:
        """The messages that the session starts with, each by its role and its text."""
        return [(each["role"], each["content"][0]["text"]) for each in self._values["input"]]

    @property
    def delegation(self) -> dict[str, Any]:
        """The `delegation` object."""
        delegation: dict[str, Any] = self._values["delegation"]
        return delegation

    @property
    def triggers(self) -> list[dict[str, Any]]:
        """What is decided as the transcript goes on."""
        triggers: list[dict[str, Any]] = self._values["triggers"]
        return triggers

    @property
    def is_stored(self) -> bool:
        """Whether the session can be forked once it is over."""
        return bool(self._values["store"])

    def forked(self, change: dict[str, Any]) -> dict[str, Any]:
        """What the fork of this session asks for that changes this of it.

        Raises:
            ApiError: The delegation is to have another type.
        """
        wanted = copy.deepcopy(self._values)
        wanted["delegation"] = _changed(wanted["delegation"], change.get("delegation"))
        if change.get("store") is not None:
            wanted["store"] = change["store"]
        if shape := (change.get("audio") or {}).get("format"):
            wanted["audio"]["format"] = shape
        return wanted

    def view(self) -> dict[str, Any]:
        """The whole configuration as the server's events show it."""
        return {**self._identity, **shown_as(copy.deepcopy(self._values))}

    def update(self, change: dict[str, Any]) -> None:
        """Apply a client's `session.update`.

        Raises:
            ApiError: The delegation is to have another type.
        """
        self._values["delegation"] = _changed(self.delegation, change.get("delegation"))
        if change.get("triggers") is not None:
            self._values["triggers"] = change["triggers"]


def _changed(delegation: dict[str, Any], change: dict[str, Any] | None) -> dict[str, Any]:
    """A delegation with what changes about it; what is left out stays, and so does its type."""
    given = _without_nulls(change or {})
    owner = delegation["type"]
    if given.get("type", owner) != owner:
        message = f"The delegation of a session cannot change its type; this one has '{owner}'."
        raise ApiError(message, code="invalid_value", param="session.delegation.type")
    return {**delegation, **given, **({owner: {**delegation[owner], **given[owner]}} if owner in given else {})}


def _without_nulls(given: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(each) if isinstance(each, dict) else each
        for name, each in given.items()
        if each is not None
    }


def _with_delay(delegation: dict[str, Any]) -> dict[str, Any]:
    default_ms = 400 if delegation["type"] == "decisions" else 0
    return {"acknowledgement_delay_ms": default_ms, **delegation}
