"""History replay: the conversation so far as client events, for a new connection."""

from collections.abc import Collection, Iterator
from unicodedata import east_asian_width

from runner.audio.format import PCM, AudioFormat
from runner.protocol.conversation import Conversation
from runner.protocol.effects import Truncated
from runner.protocol.item import Item
from runner.protocol.json_fields import JsonObject
from runner.settings.continuity import History

_CHARACTERS_PER_TOKEN = 4
_ITEM_TOKENS = 4
_CONTENT_TYPES = {"user": "input_text", "system": "input_text", "assistant": "output_text"}


def replay(
    conversation: Conversation, bounds: History, *, audio_format: AudioFormat = PCM, calls: Collection[str] = ()
) -> list[JsonObject]:
    """The `conversation.item.create` events that rebuild a conversation, the oldest item first.

    Turns are replayed as text: what was typed, the transcript of what was said, and of an answer the part that was
    heard. The output of a function is never replayed without its call. Left out are items that are not finished, and
    items without text, such as audio without a transcript.

    Args:
        conversation: The conversation as it is now.
        bounds: How much of it is replayed: the newest items, the last question always among them.
        audio_format: The format of the assistant's audio, by which the part that was heard is found.
        calls: The functions' calls that are to be answered yet, by their ids; they are replayed beyond all bounds.
    """
    unanswered = set(calls)
    chosen: list[JsonObject] = []
    tokens, has_question = 0, not (bounds.max_items and bounds.max_tokens)
    for item in reversed(conversation.items):
        replayed = _replayed(item, audio_format)
        if replayed is None:
            continue
        tokens += _ITEM_TOKENS + len(item.text) // _CHARACTERS_PER_TOKEN
        is_full = has_question and (len(chosen) >= bounds.max_items or tokens > bounds.max_tokens)
        if is_full and not unanswered:
            break
        if is_full and item.call_id not in unanswered:
            continue
        if item.type == "function_call":
            unanswered.discard(item.call_id)
        chosen.append(replayed)
        # Without the last question, an answer that is asked for again would be one to something else.
        has_question = has_question or item.role == "user"
    return [{"type": "conversation.item.create", "item": item} for item in _paired(reversed(chosen))]


def heard(item: Item, audio_format: AudioFormat) -> dict[int, str]:
    """The text of an item by content index, without the part that was cut off unheard."""
    texts = item.texts
    if item.heard_ms is None or not item.audio_characters:
        return texts
    audio_ms = audio_format.ms(max(1, item.audio_characters * 3 // 4))
    # Speech is even enough: nothing says which word was heard when.
    left = round(sum(map(len, texts.values())) * min(1.0, item.heard_ms / audio_ms))
    kept = {}
    for index, text in texts.items():
        kept[index] = text if len(text) <= left else _whole_words(text, left)
        left = max(0, left - len(text))
    return kept


def note_heard(item: Item, heard_ms: int, audio_format: AudioFormat) -> Truncated:
    """Note in an item how much of it was heard; the effect has the words of that part, as far as they are known."""
    item.heard_ms = heard_ms
    words = heard(item, audio_format)
    return Truncated(item.id, heard_ms, "".join(words[index] for index in sorted(words)))


def _whole_words(text: str, length: int) -> str:
    while 0 < length < len(text) and not (_parts_words(text[length - 1]) or _parts_words(text[length])):
        length -= 1
    return text[:length].rstrip()


def _parts_words(character: str) -> bool:
    """Whether a word may end beside this character: a space, or a letter of a script that writes no spaces."""
    return character.isspace() or east_asian_width(character) in {"W", "F"}


def _replayed(item: Item, audio_format: AudioFormat) -> JsonObject | None:
    if item.leaving or (item.response_id and item.status == "in_progress"):
        return None
    match item.type:
        case "message" if item.role in _CONTENT_TYPES:
            kind = _CONTENT_TYPES[item.role]
            texts = [text for text in heard(item, audio_format).values() if text]
            content = [{"type": kind, "text": text} for text in texts]
            message = {"id": item.id, "type": "message", "role": item.role, "content": content}
            return message if texts else None
        case "function_call" if item.call_id:
            call = {"call_id": item.call_id, "name": item.name, "arguments": item.text}
            return {"id": item.id, "type": "function_call", **call}
        case "function_call_output" if item.call_id:
            return {"id": item.id, "type": "function_call_output", "call_id": item.call_id, "output": item.text}
    return None


def _paired(items: Iterator[JsonObject]) -> Iterator[JsonObject]:
    """The items without outputs whose calls are left out."""
    calls: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            calls.add(item["call_id"])
        if item["type"] != "function_call_output" or item["call_id"] in calls:
            yield item
