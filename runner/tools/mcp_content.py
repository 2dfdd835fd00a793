"""What an MCP server answers to a call, as text for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.protocol.json_text import dumps

if TYPE_CHECKING:
    from mcp.types import CallToolResult


def content_text(result: CallToolResult) -> str:
    """The texts of a result, a line for each picture, sound and link, or else its structured content as JSON."""
    parts = [text for each in result.content if (text := _text_of(each))]
    if not parts and result.structured_content is not None:
        return dumps(result.structured_content)
    return "\n".join(parts)


def _text_of(content: Any) -> str:
    match content.type:
        case "text":
            return str(content.text)
        case "image" | "audio":
            return f"[{content.type} of type {content.mime_type}, {len(content.data) * 3 // 4} bytes, not shown]"
        case "resource_link":
            return f"[resource {content.uri}]"
        case "resource":
            held = content.resource
            return str(getattr(held, "text", f"[resource {held.uri}, not shown]"))
    return ""
