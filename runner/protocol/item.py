"""One item of a conversation: its text in the pieces in which it came, and as whole texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from runner.protocol.effects import Effect, TextCorrected, TextDelta
from runner.protocol.json_fields import JsonObject, identifier
from runner.protocol.json_text import dumps
from runner.protocol.side_fields import SideFields


class WholeText(NamedTuple):
    """The text of a part as one event gave it."""

    text: str
    pieces: int
    """How many pieces of the part had come before; what comes later follows upon it."""
    is_ended: bool = False
    """Whether a `.done` event of the part gave it, of which some servers send one for each sentence."""


_MOST_PARTS = 1024
_DEEDS = frozenset({"function_call", "mcp_call", "mcp_list_tools", "mcp_approval_request"})
"""The types of items by which a response does something without words."""
_NOTHING = WholeText("", 0)


class SnapshotPieces(list[str]):
    """The pieces of a part whose endpoint repeats in each piece all that came before."""

    def append(self, _piece: str) -> None:
        """Refuse what the way of an ordinary piece would add unseen."""
        raise TypeError

    def add(self, piece: str) -> str:
        """Add a piece; returns what of it is new."""
        said = "".join(self)
        new = piece.removeprefix(said)
        if new:
            super().append(new)
        return new


@dataclass(slots=True, eq=False)
class Item:
    """One item of the conversation, with the text of its content parts; the same one whatever its id becomes."""

    id: str
    type: str
    role: str
    parts: dict[int, list[str]] = field(default_factory=dict)
    """The pieces of text or transcript by content index, as they came."""
    wholes: dict[int, WholeText] = field(default_factory=dict)
    """The whole text or transcript by content index, where an event gave it; it counts for the pieces before it."""
    status: Literal["in_progress", "completed", "incomplete"] = "in_progress"
    is_announced: bool = False
    """Whether the end of this turn was already reported."""
    call_id: str = ""
    """Of a function's call and of its output: what joins the two."""
    name: str = ""
    """Of a function's call: which function."""
    server: str = ""
    """Of a request to approve of a call: the label of the MCP server."""
    name_at_end: str = ""
    """The id that the endpoint has given to an item which pieces without any had made."""
    response_id: str = ""
    """The response that this item is a part of, while it is being made."""
    asked_by: str = ""
    """The id of the client event that creates or removes this item, until the endpoint has confirmed it."""
    languages: tuple[str, ...] = ()
    """The codes of the languages that were spoken in it, where the endpoint says so."""
    phase: str = ""
    """Of an answer: `commentary` or `final_answer`, where the endpoint says so."""
    audio_characters: int = 0
    """How much audio has come of this item, in characters of base64."""
    heard_ms: int | None = None
    """Where the audio was cut, in milliseconds; None where all of it counts as heard."""
    leaving: bool = False
    """Whether the client has asked for its removal."""

    @property
    def texts(self) -> dict[int, str]:
        """The text of each part by its content index, in order."""
        found = {}
        for index in sorted({*self.parts, *self.wholes}):
            whole = self.wholes.get(index, _NOTHING)
            found[index] = whole.text + "".join(self.parts.get(index, [])[whole.pieces :])
        return found

    @property
    def text(self) -> str:
        """The whole item's text, its parts in order."""
        return "".join(self.texts.values())

    @property
    def is_something(self) -> bool:
        """Whether it says something, or does: of a call only one that is whole, and nothing of an unknown type."""
        if self.type == "message":
            return bool(self.text or self.audio_characters)
        return self.type in _DEEDS and (self.type != "function_call" or self.status == "completed")

    @property
    def pieces(self) -> list[str]:
        """All pieces that came, its parts in order."""
        return [piece for index in sorted(self.parts) for piece in self.parts[index]]

    def take_whole(self, read: "Item") -> None:
        """Take over the texts of the item as an event describes it, where it says anything."""
        known, whole = self.text, read.text
        if whole in ("", known):
            return
        if whole.startswith(known):
            # Pieces that came under another index are a part of it.
            self.wholes |= {index: WholeText("", len(self.parts[index])) for index in self.parts}
        self.wholes |= {
            index: WholeText(each.text, len(self.parts.get(index, ()))) for index, each in read.wholes.items()
        }

    def end_part(self, index: int, text: str) -> None:
        """Take over the text of a part from a `.done` event; a second one may be its next sentence."""
        pieces, before = self.parts.get(index, []), self.wholes.get(index)
        if before and before.is_ended:
            tail = "".join(pieces[before.pieces :])
            said = before.text + tail
            # What was said twice is better than what was never said: only the very same text is no next sentence.
            is_next = text != said and not (tail and text.startswith(said)) and (tail or not pieces)
            text = before.text + text if is_next else text
        self.wholes[index] = WholeText(text, len(pieces), is_ended=True)

    def end(self) -> None:
        """Keep the texts without their pieces, of which no more come."""
        self.wholes, self.parts = {index: WholeText(text, 0) for index, text in self.texts.items()}, {}

    def corrections(self) -> list[Effect]:
        """What a reader of the pieces has to know at the end: what is missing, or that they were wrong."""
        return corrections(self.pieces, self.text, self.id, self.response_id)


def corrections(pieces: Sequence[str], text: str, item_id: str, response_id: str) -> list[Effect]:
    """How the whole text differs from its pieces, nothing where it does not or where no piece came.

    Whether a piece repeats what came before or follows upon it ("ha", "haha") only the whole text tells.
    """
    said = "".join(pieces)
    if not said or text.strip() == said.strip():
        return []
    if text.startswith(said):
        missing = TextDelta(response_id, item_id, text[len(said) :])
        return [TextCorrected(item_id, "pieces missing"), missing]
    spoken = [each for each in pieces if each]
    if all(after.startswith(before) for before, after in pairwise(spoken)) and text.startswith(spoken[-1]):
        return [TextCorrected(item_id, "pieces repeat what came before")]
    return [TextCorrected(item_id, "other words")]


def is_snapshots(found: Sequence[Effect]) -> bool:
    """Whether these corrections say that pieces repeat what came before."""
    return any(isinstance(each, TextCorrected) and each.reason == "pieces repeat what came before" for each in found)


def part_index(event: JsonObject, side: SideFields) -> int:
    """The part of its item that an event is about; the first where it does not say."""
    index = side.count(event, "content_index")
    if index > _MOST_PARTS:
        side.note(f"`content_index` is not at most {_MOST_PARTS}")
        return 0
    return index


def read_item(item: JsonObject, side: SideFields) -> Item:
    """An item as an event describes it; raises `BadField` where it has no id."""
    kind, status = side.text(item, "type"), item.get("status")
    if kind in {"function_call", "function_call_output", "mcp_approval_request"}:
        texts = [_json_text(item, "arguments", side) or _json_text(item, "output", side)]
    else:
        texts = [*_texts(item, side)]
    read = Item(identifier(item, "id"), kind, side.text(item, "role"))
    read.wholes = {index: WholeText(each, 0) for index, each in enumerate(texts) if each}
    read.call_id, read.name = side.identifier(item, "call_id"), side.text(item, "name")
    read.server, read.phase = side.text(item, "server_label"), side.text(item, "phase")
    match status:
        case "completed" | "incomplete":
            read.status = status
    return read


def _json_text(item: JsonObject, key: str, side: SideFields) -> str:
    """A text that holds JSON, which some servers write as the JSON itself."""
    value = item.get(key)
    return dumps(value) if isinstance(value, dict | list) else side.text(item, key)


def _texts(item: JsonObject, side: SideFields) -> Iterator[str]:
    """The texts of an item's content; some servers write a part, or all of it, as plain text."""
    content = item.get("content")
    parts = [content] if isinstance(content, str | dict) else content or []
    if not isinstance(parts, list):
        side.note("`content` is not a list of objects")
        return
    for part in parts:
        if isinstance(part, dict):
            yield side.text(part, "text") or side.text(part, "transcript")
        elif isinstance(part, str):
            yield part
        else:
            side.note("`content` is not a list of objects")
            yield ""
