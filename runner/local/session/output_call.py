"""The call of a function by a response."""

from typing import Any

from runner.local.session.identifiers import new_id
from runner.local.session.output_item import OutputItem
from runner.local.session.server_event import ServerEvent
from runner.local.speech.replies import Call


class OutputCall(OutputItem):
    """A call of a function, whose arguments come piece by piece.

    Args:
        call: The function and its arguments.
        place: Where it stands, as `OutputItem` takes it.
    """

    def __init__(self, call: Call, **place: Any) -> None:
        self._call_id = new_id("call")
        self._name = call.name
        fields = {"type": "function_call", "call_id": self._call_id, "name": call.name, "arguments": ""}
        super().__init__(fields, **place)

    def add(self, arguments: str) -> list[ServerEvent]:
        """Add a piece of the arguments."""
        self.stored.item["arguments"] += arguments
        return [self._call_event("response.function_call_arguments.delta", delta=arguments)]

    def end(self, *, is_whole: bool) -> list[ServerEvent]:
        """The call is over, complete or not; returns its last events."""
        arguments = self.stored.item["arguments"]
        done = self._call_event("response.function_call_arguments.done", name=self._name, arguments=arguments)
        return [done, *super().end(is_whole=is_whole)]

    def _call_event(self, kind: str, **fields: Any) -> ServerEvent:
        return self.event(kind, item_id=self.id, call_id=self._call_id, **fields)
