"""The API's conversation items."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject

ItemStatus = Literal["completed", "incomplete", "in_progress"]


class InputText(ApiObject):
    """Text of the user or the system."""

    type: Literal["input_text"] = "input_text"
    text: str
    """The text."""


class InputAudio(ApiObject):
    """Audio that the user spoke."""

    type: Literal["input_audio"] = "input_audio"
    audio: str | None = None
    """Base64 of the audio, in the session's input format."""
    transcript: str | None = None
    """What was said; not seen by the model."""


class InputImage(ApiObject):
    """An image that the user shows."""

    type: Literal["input_image"] = "input_image"
    image_url: str
    """A `data:` URI of a PNG or JPEG image."""
    detail: Literal["auto", "low", "high"] | None = None
    """How closely it is looked at."""


class AssistantContent(ApiObject):
    """A piece of an assistant message; a client can create only `output_text`."""

    type: Literal["output_text", "output_audio"] = "output_text"
    text: str | None = None
    """The text of `output_text`."""
    audio: str | None = None
    """Base64 of the audio of `output_audio`."""
    transcript: str | None = None
    """What the audio says."""


UserContent = Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")]


class ItemBase(ApiObject):
    """What all items have."""

    id: str | None = None
    """The item's id; the server makes one where the client does not."""
    object: Literal["realtime.item"] | None = None
    """Always `realtime.item`."""
    status: ItemStatus | None = None
    """Has no effect on the conversation."""


class SystemMessage(ItemBase):
    """Further instructions in mid-conversation."""

    type: Literal["message"] = "message"
    role: Literal["system"] = "system"
    content: list[InputText]
    """What is said."""


class UserMessage(ItemBase):
    """What the user says or shows."""

    type: Literal["message"] = "message"
    role: Literal["user"] = "user"
    content: list[UserContent]
    """What is said."""


class AssistantMessage(ItemBase):
    """What the model said, for instance when a history is restored."""

    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    content: list[AssistantContent]
    """What is said."""


class FunctionCall(ItemBase):
    """The model calls a function."""

    type: Literal["function_call"] = "function_call"
    call_id: str | None = None
    """Joins the call to its output."""
    name: str
    """The function."""
    arguments: str
    """JSON of the arguments."""


class FunctionCallOutput(ItemBase):
    """What a function answered."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    """The call that is answered."""
    output: str
    """Free text or JSON."""


class McpApprovalResponse(ApiObject):
    """The user's word on a call to an MCP server."""

    type: Literal["mcp_approval_response"] = "mcp_approval_response"
    id: str
    """The item's id."""
    approval_request_id: str
    """The request that is answered."""
    approve: bool
    """Whether the call may be made."""
    reason: str | None = None
    """Why."""


class McpInvocation(ApiObject):
    """What is asked of an MCP server."""

    id: str
    """The item's id."""
    server_label: str
    """The server."""
    name: str
    """The tool."""
    arguments: str
    """JSON of the arguments."""


class McpApprovalRequest(McpInvocation):
    """The model wants to call an MCP server and asks first."""

    type: Literal["mcp_approval_request"] = "mcp_approval_request"


class McpCallError(ApiObject):
    """How a call to an MCP server failed."""

    type: Literal["protocol_error", "tool_execution_error", "http_error"]
    """Where it failed."""
    code: int | None = None
    """The protocol's or HTTP's own number."""
    message: str
    """What happened."""


class McpCall(McpInvocation):
    """The model called an MCP server."""

    type: Literal["mcp_call"] = "mcp_call"
    approval_request_id: str | None = None
    """The approval that allowed it."""
    output: str | None = None
    """What the tool answered."""
    error: McpCallError | None = None
    """How the call failed."""


class McpListedTool(ApiObject):
    """One tool of an MCP server."""

    name: str
    """The tool."""
    description: str | None = None
    """What it does."""
    input_schema: dict[str, Any]
    """JSON Schema of the arguments."""
    annotations: dict[str, Any] | None = None
    """Hints, as MCP defines them."""


class McpListTools(ApiObject):
    """The tools of an MCP server."""

    type: Literal["mcp_list_tools"] = "mcp_list_tools"
    id: str | None = None
    """The item's id."""
    server_label: str
    """The server."""
    tools: list[McpListedTool]
    """Its tools."""


class ItemReference(ApiObject):
    """An item of the conversation by its id; only in the `input` of a response."""

    type: Literal["item_reference"] = "item_reference"
    id: str
    """The item."""


def _item_tag(value: Any) -> Any:
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return f"{fields.get('role')}_message" if fields.get("type") == "message" else fields.get("type")


_Message = (
    Annotated[SystemMessage, Tag("system_message")]
    | Annotated[UserMessage, Tag("user_message")]
    | Annotated[AssistantMessage, Tag("assistant_message")]
)
_Other = (
    Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[McpApprovalResponse, Tag("mcp_approval_response")]
    | Annotated[McpListTools, Tag("mcp_list_tools")]
    | Annotated[McpCall, Tag("mcp_call")]
    | Annotated[McpApprovalRequest, Tag("mcp_approval_request")]
)
ConversationItem = Annotated[_Message | _Other, Discriminator(_item_tag)]
InputItem = Annotated[_Message | _Other | Annotated[ItemReference, Tag("item_reference")], Discriminator(_item_tag)]
