"""From a client's message to a valid client event, or to the error that the API would send."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from runner.api.client_events import CLIENT_EVENT_TYPES, MAX_EVENT_ID_CHARACTERS, ClientEventBase
from runner.local.session.api_error import ApiError, api_error_for, invalid_type, invalid_value, json_type, missing
from runner.protocol.audio_append import decoded

_MOST_FIELDS: Final = 50_000
"""So many members has no event that means something: a hundred tools have some ten thousand."""


def read_document(message: str | bytes) -> dict[str, Any]:
    """Parse a message into a JSON object.

    Raises:
        ApiError: The message is binary, is not JSON, or is not an object.
    """
    if isinstance(message, bytes):
        raise ApiError("Binary messages are not supported; send JSON as text.", code="invalid_message")
    try:
        document = from_json(message, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(f"The message is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(document, dict):
        raise ApiError(f"Expected a JSON object, but got {json_type(document)} instead.", code="invalid_type")
    if len(message) > _MOST_FIELDS and _has_more_fields(document, _MOST_FIELDS):
        # Each that is wrong would take a kilobyte to be told so.
        raise ApiError(f"The event has more than {_MOST_FIELDS} fields.", code="invalid_value")
    return document


def _has_more_fields(document: dict[str, Any], most: int) -> bool:
    """Whether an object has more members than so many, those of what it holds included."""
    left: list[Any] = [document]
    while left and most >= 0:
        each = left.pop()
        if isinstance(each, dict | list):
            most -= len(each)
            left += (each.values() if isinstance(each, dict) else each) if most >= 0 else ()
    return most < 0


def event_id_of(document: dict[str, Any]) -> str | None:
    """The `event_id` that the client has given an event, if an answer can repeat it."""
    event_id = document.get("event_id")
    return event_id if isinstance(event_id, str) and len(event_id) <= MAX_EVENT_ID_CHARACTERS else None


def read_event(
    document: dict[str, Any], known: Mapping[str, type[ClientEventBase]] = CLIENT_EVENT_TYPES
) -> ClientEventBase:
    """Validate a JSON object as a client event of the known types.

    Raises:
        ApiError: The event is unknown or breaks its schema.
    """
    name = document.get("type")
    if name is None:
        raise missing("type")
    if not isinstance(name, str):
        raise invalid_type("type", "a string", name)
    model = known.get(name)
    if model is None:
        raise invalid_value("type", name, list(known))
    if model is CLIENT_EVENT_TYPES["session.update"]:
        _check_session_type(document)
    try:
        return model.model_validate(document, strict=True, context={"wire": True})
    except ValidationError as error:
        raise api_error_for(error.errors(include_url=False), document) from None


def decode_audio(encoded: str, param: str) -> bytes:
    """Decode the audio of the client event's field `param`.

    Raises:
        ApiError: The text is not base64.
    """
    try:
        return decoded(encoded)
    except ValueError:
        message = f"Invalid '{param}'. Expected base64-encoded audio bytes, but got an invalid value."
        raise ApiError(message, code="invalid_value", param=param) from None


def _check_session_type(document: dict[str, Any]) -> None:
    # A profile may leave the type out, so the models have a default for it; the API has none.
    session = document.get("session")
    if isinstance(session, dict) and "type" not in session:
        raise missing("session.type")
