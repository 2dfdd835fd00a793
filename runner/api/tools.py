"""The tools that the API offers to a model, and how the model chooses among them."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject, Clearable


class FunctionTool(ApiObject):
    """A function that the client runs."""

    type: Literal["function"] = "function"
    """The kind of the tool."""
    name: Annotated[str, Field(min_length=1)]
    """What the model calls it."""
    description: str | None = None
    """When and how to call it, and what to say to the user meanwhile."""
    parameters: dict[str, Any] | None = None
    """JSON Schema of the arguments."""


class McpToolFilter(ApiObject):
    """Some of a server's tools."""

    tool_names: list[str] | None = None
    """By name."""
    read_only: bool | None = None
    """By whether they change anything, as their `readOnlyHint` says."""


class McpApproval(ApiObject):
    """Which tools need the user's approval."""

    always: McpToolFilter | None = None
    """These do."""
    never: McpToolFilter | None = None
    """These do not."""


def _shape(value: Any) -> str:
    if isinstance(value, list):
        return "names"
    return "word" if isinstance(value, str) else "filter"


AllowedTools = Annotated[
    Annotated[list[str], Tag("names")] | Annotated[McpToolFilter, Tag("filter")], Discriminator(_shape)
]
Approval = Annotated[
    Annotated[Literal["always", "never"], Tag("word")] | Annotated[McpApproval, Tag("filter")], Discriminator(_shape)
]


class McpTool(ApiObject):
    """A remote MCP server that the endpoint, not rt-run, calls."""

    type: Literal["mcp"] = "mcp"
    """The kind of the tool."""
    server_label: Annotated[str, Field(min_length=1)]
    """The server's name in tool calls."""
    server_url: str | None = None
    """Where it is; one of `server_url`, `connector_id` and `tunnel_id` is needed."""
    connector_id: str | None = None
    """A ready connector, such as `connector_gmail` or `connector_sharepoint`; going out of use."""
    tunnel_id: Annotated[str, Field(pattern=r"^tunnel_[a-z0-9]{32}$")] | None = None
    """A secure tunnel to it."""
    authorization: Annotated[str | None, Field(repr=False)] = None
    """An OAuth access token for it."""
    server_description: str | None = None
    """What the model is told about it."""
    headers: Annotated[dict[str, str] | None, Field(repr=False)] = None
    """Further HTTP headers for it."""
    allowed_tools: Clearable[AllowedTools] = None
    """The tools that may be used: a list of names or a filter."""
    allowed_callers: Clearable[Annotated[list[Literal["direct", "programmatic"]], Field(min_length=1)]] = None
    """Who may call it."""
    require_approval: Clearable[Approval] = None
    """`always`, `never`, or a filter for each."""
    defer_loading: bool | None = None
    """Find its tools by search instead of at the start."""


Tool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class ToolChoiceFunction(ApiObject):
    """The model must call this function."""

    type: Literal["function"] = "function"
    """The kind of the choice."""
    name: str
    """The function."""


class ToolChoiceMcp(ApiObject):
    """The model must use this server."""

    type: Literal["mcp"] = "mcp"
    """The kind of the choice."""
    server_label: str
    """The server."""
    name: str | None = None
    """The tool on it, where it must be a certain one."""


def _choice_tag(value: Any) -> str | None:
    if isinstance(value, dict):
        return value.get("type")
    return getattr(value, "type", "mode")


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")]
    | Annotated[ToolChoiceFunction, Tag("function")]
    | Annotated[ToolChoiceMcp, Tag("mcp")],
    Discriminator(_choice_tag),
]
