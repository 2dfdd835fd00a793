"""The events of one response of the Responses model behind a Live session."""

import time
from collections.abc import Mapping
from typing import Any

from runner.local.session.identifiers import new_id
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.replies import Call
from runner.local.speech.tones import pieces


class BackendResponse:
    """Makes the events of one response; their snapshots of it are without what it says, as the API's are.

    Args:
        backend: The model and its settings, as `delegation.responses` has them.
        delegation_id: The delegation that it works for, or None.
    """

    def __init__(self, backend: Mapping[str, Any], delegation_id: str | None) -> None:
        self.id = new_id("resp")
        self._delegation_id = delegation_id
        self._number = 0
        self._items = 0
        self._letters = 0
        self._snapshot = {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "model": backend["model"],
            "output": [],
            "tools": [],
            "tool_choice": backend.get("tool_choice", "auto"),
            "parallel_tool_calls": backend.get("parallel_tool_calls", True),
            "instructions": None,
            "error": None,
            "incomplete_details": None,
            "metadata": {},
            "temperature": None,
            "top_p": None,
        }

    def begin(self) -> list[ServerEvent]:
        """The response begins."""
        return [self._lifecycle("created", "in_progress"), self._lifecycle("in_progress", "in_progress")]

    def call(self, call_id: str, call: Call) -> list[ServerEvent]:
        """It calls a function of the client."""
        place = {"item_id": new_id("fc"), "output_index": self._items}
        item = {"id": place["item_id"], "type": "function_call", "call_id": call_id, "name": call.name}
        self._letters += len(call.arguments)
        return [
            self._item("added", {**item, "arguments": "", "status": "in_progress"}),
            self._event("function_call_arguments.delta", **place, delta=call.arguments),
            self._event("function_call_arguments.done", **place, name=call.name, arguments=call.arguments),
            self._item("done", {**item, "arguments": call.arguments, "status": "completed"}),
        ]

    def serve(self, call: Call) -> list[ServerEvent]:
        """It calls a tool of an MCP server, which is simulated."""
        place = {"item_id": new_id("mcp"), "output_index": self._items}
        item = {"id": place["item_id"], "type": "mcp_call", "server_label": call.server, "name": call.name}
        outcome = {"output": None, "error": call.output} if call.fails else {"output": call.output, "error": None}
        self._letters += len(call.arguments)
        return [
            self._item("added", {**item, "arguments": ""}),
            self._event("mcp_call.in_progress", **place),
            self._event("mcp_call_arguments.delta", **place, delta=call.arguments),
            self._event("mcp_call_arguments.done", **place, arguments=call.arguments),
            self._event(f"mcp_call.{'failed' if call.fails else 'completed'}", **place),
            self._item("done", {**item, "arguments": call.arguments, **outcome}),
        ]

    def write(self, text: str) -> list[ServerEvent]:
        """It writes a message, which the Live model says."""
        item_id = new_id("msg")
        place = {"item_id": item_id, "output_index": self._items, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant"}
        part = {"type": "output_text", "annotations": [], "logprobs": []}
        self._letters += len(text)
        return [
            self._item("added", {**item, "content": [], "status": "in_progress"}),
            self._event("content_part.added", **place, part={**part, "text": ""}),
            *(self._event("output_text.delta", **place, delta=piece, logprobs=[]) for piece in pieces(text)),
            self._event("output_text.done", **place, text=text, logprobs=[]),
            self._event("content_part.done", **place, part={**part, "text": text}),
            self._item("done", {**item, "content": [{**part, "text": text}], "status": "completed"}),
        ]

    def end(self, prompt_letters: int) -> list[ServerEvent]:
        """It is over; its prompt had so many letters."""
        taken, given = -(-prompt_letters // 4), -(-self._letters // 4)
        usage = {
            "input_tokens": taken,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": given,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": taken + given,
        }
        return [self._lifecycle("completed", "completed", usage=usage)]

    def fail(self, code: str, message: str) -> list[ServerEvent]:
        """It fails."""
        return [self._lifecycle("failed", "failed", error={"code": code, "message": message})]

    def _lifecycle(self, name: str, status: str, **fields: Any) -> ServerEvent:
        return self._event(name, response={**self._snapshot, "status": status, **fields})

    def _item(self, name: str, item: dict[str, Any]) -> ServerEvent:
        event = self._event(f"output_item.{name}", output_index=self._items, item=item)
        self._items += name == "done"
        return event

    def _event(self, name: str, /, **fields: Any) -> ServerEvent:
        nested = {"type": f"response.{name}", "sequence_number": self._number, **fields}
        self._number += 1
        return server_event("response.event", delegation_id=self._delegation_id, event=nested)
