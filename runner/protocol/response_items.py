"""Where what a response says stands: its response, its item, and the conversation that has it."""

from runner.protocol.conversation import Conversation
from runner.protocol.item import Item
from runner.protocol.json_fields import BadField, JsonObject, identifier
from runner.protocol.state import SessionState


def response_of(state: SessionState, event: JsonObject) -> str:
    """The response that an event is a part of; the only one in flight where it does not say."""
    return state.side.identifier(event, "response_id") or state.pending.sole_response()


def place_of(state: SessionState, event: JsonObject) -> tuple[str, str]:
    """The response and the item that a piece is a part of, where it does not say the only ones that can be meant."""
    item_id, response_id = state.side.identifier(event, "item_id"), state.side.identifier(event, "response_id")
    if not response_id:
        item = state.conversation.get(item_id) or state.aside.get(item_id)
        known = item.response_id if item else ""
        response_id = known if state.pending.request_of(known) else state.pending.sole_response() or known
    if not item_id:
        made = state.conversation.of_responses({response_id}) or state.aside.of_responses({response_id})
        item_id = made[-1].id if made else response_id and _stand_in(response_id)
    if not item_id:
        raise BadField("item_id", "a string")
    return response_id, item_id


def home_of(state: SessionState, response_id: str) -> Conversation | None:
    """Where the items of a response stand; what it says out of band never becomes part of the conversation."""
    if response_id in state.pending.active:
        return state.conversation
    return state.aside if response_id in state.pending.out_of_band else None


def _stand_in(response_id: str) -> str:
    """The name of the item that a response says something in, until the endpoint names it."""
    return f"item_of_{response_id}"


def put(home: Conversation, response_id: str, incoming: JsonObject) -> Item:
    """Take in an item of a response; it may be the one that pieces without a name have made."""
    name = identifier(incoming, "id")
    free_name(home, response_id, name)
    nameless = home.get(_stand_in(response_id))
    if nameless is not None and home.get(name) is None and incoming.get("type", "message") == "message":
        home.name(nameless, name)
    item = home.put(incoming)
    item.response_id = response_id
    return item


def forget_names(conversation: Conversation, response_id: str) -> None:
    """A response begins; some servers use the id of one that is over again, whose items are no part of it."""
    for item in conversation.of_responses({response_id}):
        if item.is_announced:
            item.response_id = ""


def item_of(home: Conversation, response_id: str, item_id: str) -> Item:
    """The item of a response, a new one where there is none or where this was the name of another one's."""
    free_name(home, response_id, item_id)
    item = home.message(item_id)
    item.response_id = item.response_id or response_id
    return item


def free_name(home: Conversation, response_id: str, item_id: str) -> None:
    """See that an item which is over, and no part of this response, has its name no longer."""
    item = home.get(item_id)
    is_said = item is not None and (item.role == "assistant" or item.type == "function_call")
    if item is not None and is_said and item.is_announced and item.response_id != response_id:
        home.rename(item)
