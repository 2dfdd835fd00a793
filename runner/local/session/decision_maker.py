"""The Decisions model behind a Live session, which knows nothing: it takes every answer for equally likely."""

from typing import Any, Final

from runner.api.live_events import DecisionCreate, DecisionItemCreate, DecisionItemDelete
from runner.local.session.api_error import ApiError
from runner.local.session.identifiers import new_id
from runner.local.session.live_config import LiveConfig
from runner.local.session.server_event import ServerEvent, answer_to, server_event

_MODEL: Final = "none"
"""What decides where the session names no model."""
_MAX_ITEMS: Final = 512
_USAGE: Final = {
    "input_tokens": 0,
    "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


class DecisionMaker:
    """Decides what the session's delegation and its triggers ask for.

    Args:
        config: The session's configuration.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._items: dict[str, dict[str, Any]] = {}
        self._asked: set[str] = set()

    def decide(self, delegation_id: str | None) -> ServerEvent:
        """Decide what the delegation asks for, for one of its tasks or for the client."""
        decisions = self._config.delegation["decisions"]
        return _decided(decisions["questions"], decisions["model"], delegation_id=delegation_id)

    def ask(self, create: DecisionCreate) -> ServerEvent:
        """The client asks for a decision.

        Raises:
            ApiError: The session has nothing to decide, or the client has used the event's id before.
        """
        if self._config.delegation["type"] != "decisions":
            message = "'decision.create' needs a session whose 'delegation' has the type 'decisions'."
            raise ApiError(message, code="invalid_value", param="type")
        if create.event_id in self._asked:
            message = f"The event_id '{create.event_id}' was used before."
            raise ApiError(message, code="duplicate_event_id", param="event_id")
        self._asked.add(str(create.event_id))
        return self.decide(None)

    def add(self, create: DecisionItemCreate) -> ServerEvent:
        """The client adds an item that decisions go by.

        Raises:
            ApiError: There are too many, or one with this id.
        """
        item = create.item.model_dump(mode="json", exclude_none=True)
        item_id = item.setdefault("id", new_id("item"))
        if item_id in self._items or len(self._items) >= _MAX_ITEMS:
            message = f"The item '{item_id}' cannot be added: there is one already, or there are {_MAX_ITEMS}."
            raise ApiError(message, code="invalid_value", param="item.id")
        self._items[item_id] = item
        return answer_to(create, "decision.item.created", item=item)

    def delete(self, delete: DecisionItemDelete) -> ServerEvent:
        """The client takes an item away.

        Raises:
            ApiError: There is no such item.
        """
        if self._items.pop(delete.item_id, None) is None:
            message = f"There is no item with the id '{delete.item_id}'."
            raise ApiError(message, code="item_not_found", param="item_id")
        return answer_to(delete, "decision.item.deleted", item_id=delete.item_id)

    def follow(self, fragment: ServerEvent) -> list[ServerEvent]:
        """The transcript goes on; returns the event that says so, and what its trigger has decided."""
        kind = fragment["type"]
        trigger = next((each for each in self._config.triggers if each["event_type"] == kind), None)
        if trigger is None:
            return [fragment]
        source = {"source_event_id": fragment["event_id"], "source_event_type": kind, "trigger_id": new_id("trig")}
        return [fragment, _decided(trigger["decisions"]["questions"], _MODEL, delegation_id=None, **source)]


def _decided(questions: list[dict[str, Any]], model: str, **source: Any) -> ServerEvent:
    decision = {"model": model, "answers": list(map(_answer, questions)), "usage": _USAGE}
    return server_event("decision.event", event={"type": "decision.completed", "decision": decision}, **source)


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    """The first answer that there is; all are equally likely."""
    answer = {"type": question["type"], **({"name": question["name"]} if question.get("name") else {})}
    if question["type"] == "predicate":
        return {**answer, "probability": 0.5}
    if question["type"] == "choice":
        options = [each["value"] for each in question["choices"]]
        likely = [{"value": each, "probability": 1 / len(options)} for each in options]
        return {**answer, "choice": options[0], "confidence": 1 / len(options), "probabilities": likely}
    labels = [each["label"] for each in question["levels"]]
    levels = [{"label": each, "value": at, "probability": 1 / len(labels)} for at, each in enumerate(labels)]
    mean = (len(labels) - 1) / 2
    return {**answer, "score": mean, "confidence": 1 / len(labels), "probabilities": levels}
