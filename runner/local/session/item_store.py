"""The items of a conversation, and their audio."""

from dataclasses import dataclass, field
from typing import Any, Final

from runner.audio.format import AudioFormat
from runner.local.session.api_error import ApiError, missing
from runner.local.session.effective_config import shown_as
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import TurnAudio
from runner.local.session.jobs import Settle
from runner.local.session.parsing import decode_audio

_MAX_ITEM_ID_CHARACTERS: Final = 32
_TOKENS_PER_ITEM: Final = 4
_TOKENS_PER_IMAGE: Final = 170
_MS_PER_INPUT_TOKEN: Final = 100
MS_PER_OUTPUT_TOKEN: Final = 50


@dataclass(frozen=True)
class Tokens:
    """A number of tokens of each kind."""

    text: int = 0
    audio: int = 0
    image: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    @property
    def total(self) -> int:
        """The tokens of all kinds."""
        return self.text + self.audio + self.image


@dataclass
class StoredItem:
    """An item as the API shows it, and what the session knows of its audio."""

    item: dict[str, Any]
    audio_ms: int = 0
    """How long its audio is, in milliseconds."""
    audio: TurnAudio | None = None
    """Its audio, until the transcriber takes it."""
    transcript: str = ""
    """The transcript of the audio; "" before the transcription, or where that has failed."""
    is_being_transcribed: bool = False
    """Whether the transcriber has its audio."""
    after_transcription: list[Settle] = field(default_factory=list)
    """The callbacks that go on after the transcription."""
    is_deleted: bool = False
    """Whether the client has deleted it."""
    is_truncated: bool = False
    """Whether the client has truncated its audio."""

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item["id"])

    def start_transcription(self) -> TurnAudio | None:
        """Hand the audio over to the transcriber; None where there is none, or it has been handed over before."""
        audio, self.audio = self.audio, None
        self.is_being_transcribed = self.is_being_transcribed or audio is not None
        return audio

    def end_transcription(self, transcript: str) -> list[Settle]:
        """The transcriber is done; returns the callbacks that go on now."""
        self.is_being_transcribed = False
        self.transcript = transcript
        callbacks, self.after_transcription = self.after_transcription, []
        return callbacks

    def tokens(self) -> Tokens:
        """An estimate of what the item counts in a prompt."""
        content = self.item.get("content", [])
        words = "".join(part.get("text", "") for part in content)
        words += self.item.get("arguments", "") + self.item.get("output", "")
        images = sum(part["type"] == "input_image" for part in content)
        ms_per_token = MS_PER_OUTPUT_TOKEN if self.item.get("role") == "assistant" else _MS_PER_INPUT_TOKEN
        return Tokens(
            text=_TOKENS_PER_ITEM + -(-len(words) // 4),
            audio=-(-self.audio_ms // ms_per_token),
            image=images * _TOKENS_PER_IMAGE,
        )


class ItemStore:
    """The items of a conversation, in their order."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self.items: list[StoredItem] = []

    def find(self, item_id: str, *, doing: str, param: str = "item_id") -> StoredItem:
        """Find an item by its id; `doing` is what the error message calls it, such as `deleting`.

        Raises:
            ApiError: There is no such item.
        """
        for stored in self.items:
            if stored.id == item_id:
                return stored
        verb = {"retrieving": "retrieve", "deleting": "delete", "truncating": "truncate"}.get(doing, "reference")
        message = f"Error {doing} item: the item with id '{item_id}' does not exist."
        raise ApiError(message, code=f"item_{verb}_invalid_item_id", param=param)

    def insert(self, stored: StoredItem, *, after: str | None = None) -> str | None:
        """Insert an item after another one, at the beginning (`root`) or at the end; returns the id before it.

        Raises:
            ApiError: The id is taken, or the item to insert after does not exist.
        """
        ids = [each.id for each in self.items]
        if stored.id in ids:
            message = f"Error adding item: an item with id '{stored.id}' already exists."
            raise ApiError(message, code="item_create_duplicate_item_id", param="item.id")
        if after not in (None, "root", *ids):
            message = f"Error adding item: the previous item with id '{after}' does not exist."
            raise ApiError(message, code="item_create_invalid_previous_item_id", param="previous_item_id")
        position = len(ids) if after is None else 0 if after == "root" else ids.index(after) + 1
        self.items.insert(position, stored)
        return ids[position - 1] if position else None

    def delete(self, item_id: str) -> None:
        """Remove an item.

        Raises:
            ApiError: There is no such item.
        """
        stored = self.find(item_id, doing="deleting")
        self.items.remove(stored)
        stored.is_deleted = True

    def truncate(self, item_id: str, *, content_index: int, audio_end_ms: int) -> None:
        """Truncate the audio of an assistant's item, and drop its transcript, which is not aligned with the audio.

        Raises:
            ApiError: There is no such item, or it has no such audio of the assistant, or less.
        """
        stored = self.find(item_id, doing="truncating")
        content = stored.item.get("content", [])
        if stored.item.get("role") != "assistant" or "output_audio" not in {part["type"] for part in content}:
            message = "Only model output audio messages can be truncated."
            raise ApiError(message, code="unsupported_content_type", param="item_id")
        if content_index >= len(content):
            message = f"Invalid content index: the item has {len(content)} content part(s)."
            raise ApiError(message, code="invalid_value", param="content_index")
        if audio_end_ms > stored.audio_ms:
            message = f"Audio content of {stored.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise ApiError(message, code="invalid_value", param="audio_end_ms")
        stored.audio_ms = audio_end_ms
        stored.is_truncated = True
        content[content_index].pop("transcript", None)


def admit(item: dict[str, Any], *, audio_format: AudioFormat, at: str = "item") -> StoredItem:
    """Complete an item of the client, and keep its audio apart; `at` is the item's path in the client event.

    Raises:
        ApiError: The id or the content is not valid.
    """
    item = shown_as(item)
    item.setdefault("id", new_id("item"))
    if len(item["id"]) > _MAX_ITEM_ID_CHARACTERS:
        message = (
            f"Invalid '{at}.id': string too long. Expected a string with maximum length {_MAX_ITEM_ID_CHARACTERS}, "
            f"but got a string with length {len(item['id'])} instead."
        )
        raise ApiError(message, code="string_above_max_length", param=f"{at}.id")
    if not item["type"].startswith("mcp_"):
        item |= {"object": "realtime.item", "status": "completed"}
    if item["type"] == "function_call":
        item.setdefault("call_id", new_id("call"))
    audio = b""
    for index, part in enumerate(item.get("content", [])):
        field = {"input_audio": "audio", "output_audio": "text", "output_text": "text"}.get(part["type"])
        if field and field not in part:
            raise missing(f"{at}.content[{index}].{field}")
        if part["type"] == "input_audio":
            audio += decode_audio(part.pop("audio"), f"{at}.content[{index}].audio")
            part.setdefault("transcript", None)
        elif part["type"] == "output_audio":
            raise ApiError(
                "Assistant audio cannot be created by a client; use 'output_text'.",
                code="invalid_value",
                param=f"{at}.content[{index}].type",
            )
    return StoredItem(item, int(audio_format.ms(len(audio))), TurnAudio(audio, audio_format) if audio else None)
