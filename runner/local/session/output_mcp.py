"""What a response does with MCP servers: it calls their tools, or asks whether it may; no server is asked here."""

from typing import Any

from runner.local.session.output_item import OutputItem
from runner.local.session.server_event import ServerEvent
from runner.local.speech.replies import Call


class _McpItem(OutputItem):
    """An item about a server, which has no status of its own."""

    def __init__(self, fields: dict[str, Any], **place: Any) -> None:
        super().__init__(fields, **place)
        for name in ("object", "status"):
            del self.stored.item[name]

    def end(self, *, is_whole: bool) -> list[ServerEvent]:
        """The item is over; returns its last events."""
        ended = super().end(is_whole=is_whole)
        self.stored.item.pop("status")
        for each in ended:
            each["item"].pop("status", None)
        return ended


class OutputMcpCall(_McpItem):
    """The call of a server's tool, whose arguments come piece by piece and whose result the script knows.

    Args:
        call: The tool and its arguments, and what comes of it.
        place: Where it stands, as `OutputItem` takes it.
    """

    def __init__(self, call: Call, **place: Any) -> None:
        approved = {"approval_request_id": call.approval_id} if call.approval_id else {}
        fields = {"type": "mcp_call", "server_label": call.server, "name": call.name, "arguments": "", **approved}
        super().__init__(fields, **place)
        self._call = call

    def add(self, arguments: str) -> list[ServerEvent]:
        """Add a piece of the arguments."""
        self.stored.item["arguments"] += arguments
        return [self.event("response.mcp_call_arguments.delta", item_id=self.id, delta=arguments)]

    def end(self, *, is_whole: bool) -> list[ServerEvent]:
        """The call is over; returns its last events, with what came of it where it was made."""
        arguments = self.stored.item["arguments"]
        events = [self.event("response.mcp_call_arguments.done", item_id=self.id, arguments=arguments)]
        if is_whole:
            ending = "failed" if self._call.fails else "completed"
            if self._call.fails:
                self.stored.item["error"] = {"type": "tool_execution_error", "message": self._call.output}
            else:
                self.stored.item["output"] = self._call.output
            for each in ("in_progress", ending):
                event = self.event(f"response.mcp_call.{each}", item_id=self.id)
                del event["response_id"]
                events.append(event)
        return [*events, *super().end(is_whole=is_whole)]


class OutputApprovalRequest(_McpItem):
    """The request that the client approves of a call.

    Args:
        call: The call.
        place: Where it stands, as `OutputItem` takes it.
    """

    def __init__(self, call: Call, **place: Any) -> None:
        fields = {"server_label": call.server, "name": call.name, "arguments": call.arguments}
        super().__init__({"type": "mcp_approval_request", **fields}, **place)
