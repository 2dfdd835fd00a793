"""The client's requests about items, and the events that answer them."""

import copy

from runner.api.client_events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
)
from runner.audio.format import AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.input_buffer import TurnAudio
from runner.local.session.item_store import ItemStore, StoredItem, admit
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.transcription import Transcriptions


class ItemRequests:
    """Adds, retrieves, truncates and deletes items, and has their audio transcribed.

    Args:
        conversation: The items.
        transcriptions: The transcriptions of their audio.
    """

    def __init__(self, conversation: ItemStore, transcriptions: Transcriptions) -> None:
        self._conversation = conversation
        self._transcriptions = transcriptions

    def commit(self, item_id: str, audio: TurnAudio, *, is_transcribed: bool) -> list[ServerEvent]:
        """Make audio a user's item; `is_transcribed` says whether the client is sent its transcription."""
        item = {"type": "message", "role": "user", "id": item_id, "object": "realtime.item", "status": "completed"}
        audio_ms = int(audio.audio_format.ms(len(audio.data)))
        stored = StoredItem({**item, "content": [{"type": "input_audio", "transcript": None}]}, audio_ms, audio)
        previous_item_id = self._conversation.insert(stored)
        self._transcriptions.transcribe(stored, is_sent=is_transcribed)
        committed = server_event("input_audio_buffer.committed", previous_item_id=previous_item_id, item_id=item_id)
        return [committed, *_added(stored, previous_item_id)]

    def create(self, create: ConversationItemCreate, audio_format: AudioFormat) -> list[ServerEvent]:
        """Add an item of the client.

        Raises:
            ApiError: The item is not valid, or its place does not exist.
        """
        item = create.item.model_dump(mode="json", exclude_unset=True)
        stored = admit(item, audio_format=audio_format)
        if item["type"] == "function_call_output":
            calls = {each.item.get("call_id") for each in self._conversation.items if "name" in each.item}
            if item["call_id"] not in calls:
                message = f"Tool call ID '{item['call_id']}' not found in conversation."
                raise ApiError(message, code="invalid_tool_call_id", param="item.call_id")
        previous_item_id = self._conversation.insert(stored, after=create.previous_item_id)
        self._transcriptions.transcribe(stored, is_sent=False)
        return _added(stored, previous_item_id)

    def retrieve(self, retrieve: ConversationItemRetrieve) -> list[ServerEvent]:
        """Retrieve an item."""
        stored = self._conversation.find(retrieve.item_id, doing="retrieving")
        return [server_event("conversation.item.retrieved", item=copy.deepcopy(stored.item))]

    def delete(self, delete: ConversationItemDelete) -> list[ServerEvent]:
        """Delete an item."""
        self._conversation.delete(delete.item_id)
        return [server_event("conversation.item.deleted", item_id=delete.item_id)]

    def truncate(self, truncate: ConversationItemTruncate) -> list[ServerEvent]:
        """Truncate the audio of an assistant's item."""
        fields = {"content_index": truncate.content_index, "audio_end_ms": truncate.audio_end_ms}
        self._conversation.truncate(truncate.item_id, **fields)
        return [server_event("conversation.item.truncated", item_id=truncate.item_id, **fields)]


def _added(stored: StoredItem, previous_item_id: str | None) -> list[ServerEvent]:
    kinds = ("conversation.item.added", "conversation.item.done")
    return [server_event(kind, previous_item_id=previous_item_id, item=stored.item) for kind in kinds]
