"""What clients do with the items of a conversation, and the events that tell of it."""

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
    """Adds, shows, cuts and removes items; what their audio says is written down by the way.

    Args:
        conversation: Where they stand.
        transcriptions: What writes it down.
    """

    def __init__(self, conversation: ItemStore, transcriptions: Transcriptions) -> None:
        self._conversation = conversation
        self._transcriptions = transcriptions

    def commit(self, item_id: str, recording: TurnAudio, *, is_transcribed: bool) -> list[ServerEvent]:
        """Make audio a user message; `is_transcribed` says whether the client wants to read it."""
        item = {"type": "message", "role": "user", "id": item_id, "object": "realtime.item", "status": "completed"}
        audio_ms = int(recording.audio_format.ms(len(recording.audio)))
        stored = StoredItem({**item, "content": [{"type": "input_audio"}]}, audio_ms, recording)
        previous = self._conversation.insert(stored)
        self._transcriptions.transcribe(stored, is_shown=is_transcribed)
        committed = server_event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        return [committed, *_added(stored, previous)]

    def create(self, create: ConversationItemCreate, audio_format: AudioFormat) -> list[ServerEvent]:
        """Add the client's item.

        Raises:
            ApiError: It cannot stand where it is to stand, or at all.
        """
        item = create.item.model_dump(mode="json", exclude_unset=True)
        stored = admit(item, audio_format=audio_format)
        if item["type"] == "function_call_output":
            calls = {each.item.get("call_id") for each in self._conversation.items if "name" in each.item}
            if item["call_id"] not in calls:
                message = f"Tool call ID '{item['call_id']}' not found in conversation."
                raise ApiError(message, code="invalid_tool_call_id", param="item.call_id")
        previous = self._conversation.insert(stored, after=create.previous_item_id)
        self._transcriptions.transcribe(stored, is_shown=False)
        return _added(stored, previous)

    def retrieve(self, retrieve: ConversationItemRetrieve) -> list[ServerEvent]:
        """Show an item."""
        stored = self._conversation.find(retrieve.item_id, doing="retrieving")
        return [server_event("conversation.item.retrieved", item=copy.deepcopy(stored.item))]

    def delete(self, delete: ConversationItemDelete) -> list[ServerEvent]:
        """Remove an item."""
        stored = self._conversation.find(delete.item_id, doing="deleting")
        self._conversation.items.remove(stored)
        stored.is_deleted = True
        return [server_event("conversation.item.deleted", item_id=stored.id)]

    def truncate(self, cut: ConversationItemTruncate) -> list[ServerEvent]:
        """Cut an answer to what was played."""
        fields = {"content_index": cut.content_index, "audio_end_ms": cut.audio_end_ms}
        self._conversation.truncate(cut.item_id, **fields)
        return [server_event("conversation.item.truncated", item_id=cut.item_id, **fields)]


def _added(stored: StoredItem, previous: str | None) -> list[ServerEvent]:
    kinds = ("conversation.item.added", "conversation.item.done")
    return [server_event(kind, previous_item_id=previous, item=stored.item) for kind in kinds]
