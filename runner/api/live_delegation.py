"""The API's objects of a Live session's delegation: who does what its model does not do itself."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from runner.api.api_object import ApiObject
from runner.api.live_decisions import Decisions, DecisionsChange
from runner.api.tools import FunctionTool, McpTool


class BackendFunction(FunctionTool):
    """A function that the client runs for the Responses model."""

    strict: bool | None = None
    """Whether the arguments always fit their schema."""


class BackendTool(ApiObject):
    """A tool that the Responses API brings itself; its other fields are passed on as they are."""

    model_config = ConfigDict(extra="allow")

    type: Literal[
        "web_search",
        "file_search",
        "code_interpreter",
        "shell",
        "image_generation",
        "custom",
        "namespace",
        "tool_search",
        "programmatic_tool_calling",
        "computer",
        "apply_patch",
    ]
    """The kind of the tool."""


def _tool_tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind in ("function", "mcp") else "hosted"


AnyBackendTool = Annotated[
    Annotated[BackendFunction, Tag("function")]
    | Annotated[McpTool, Tag("mcp")]
    | Annotated[BackendTool, Tag("hosted")],
    Discriminator(_tool_tag),
]


class BackendToolChoice(ApiObject):
    """A tool that the Responses model must use; its other fields are passed on as they are."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(min_length=1)]
    """The kind of the tool, or `allowed_tools`."""


def _mode_or_object(value: Any) -> str:
    return "mode" if isinstance(value, str) else "object"


AnyBackendToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")] | Annotated[BackendToolChoice, Tag("object")],
    Discriminator(_mode_or_object),
]


class BackendReasoning(ApiObject):
    """How the Responses model thinks."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much it thinks."""
    summary: Literal["concise", "detailed", "auto"] | None = None
    """The summary of its thoughts that it gives."""


class BackendText(ApiObject):
    """How the Responses model writes."""

    verbosity: Literal["low", "medium", "high"] | None = None
    """How much detail its answers have."""


class BackendChange(ApiObject):
    """What changes about the Responses model behind a session; what is left out stays."""

    model: Annotated[str, Field(min_length=1)] | None = None
    """The model."""
    instructions: str | None = None
    """What it is told: business rules, and how to use its tools."""
    tools: list[AnyBackendTool] | None = None
    """What it may use."""
    tool_choice: AnyBackendToolChoice | None = None
    """How it chooses among the tools."""
    parallel_tool_calls: bool | None = None
    """Whether it may call several tools at once."""
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest answer, in tokens."""
    reasoning: BackendReasoning | None = None
    """How it thinks."""
    text: BackendText | None = None
    """How it writes."""
    service_tier: Literal["auto", "default", "fast_tier_temp_pilot", "flex", "priority", "ultrafast"] | None = None
    """How it is served and billed."""


class Backend(BackendChange):
    """The Responses model to which a session delegates."""

    model: Annotated[str, Field(min_length=1)]
    """The model."""


AcknowledgementDelay = Annotated[int, Field(ge=0)]


class ClientDelegation(ApiObject):
    """The model delegates to the client."""

    type: Literal["client"] = "client"
    """Who does what is delegated."""
    acknowledgement_delay_ms: AcknowledgementDelay | None = None
    """The silence before the model says that it is being done, in milliseconds."""


class ResponsesDelegation(ApiObject):
    """The model delegates to a Responses model."""

    type: Literal["responses"] = "responses"
    """Who does what is delegated."""
    responses: Backend
    """The Responses model."""
    acknowledgement_delay_ms: AcknowledgementDelay | None = None
    """The silence before the model says that it is being done, in milliseconds."""


class ResponsesDelegationChange(ApiObject):
    """What changes about the Responses model of a running or a stored session."""

    type: Literal["responses"] = "responses"
    """Who does what is delegated."""
    responses: BackendChange | None = None
    """The Responses model."""
    acknowledgement_delay_ms: AcknowledgementDelay | None = None
    """The silence before the model says that it is being done, in milliseconds."""


class DecisionsDelegation(ApiObject):
    """The model delegates choices to a Decisions model."""

    type: Literal["decisions"] = "decisions"
    """Who does what is delegated."""
    decisions: Decisions
    """The Decisions model."""
    acknowledgement_delay_ms: AcknowledgementDelay | None = None
    """The silence before the model says that it is being done, in milliseconds."""


class DecisionsDelegationChange(ApiObject):
    """What changes about the Decisions model of a running session."""

    type: Literal["decisions"] = "decisions"
    """Who does what is delegated."""
    decisions: DecisionsChange | None = None
    """The Decisions model."""
    acknowledgement_delay_ms: AcknowledgementDelay | None = None
    """The silence before the model says that it is being done, in milliseconds."""


Delegation = Annotated[ClientDelegation | ResponsesDelegation | DecisionsDelegation, Field(discriminator="type")]
DelegationChange = Annotated[
    ClientDelegation | ResponsesDelegationChange | DecisionsDelegationChange, Field(discriminator="type")
]
