"""The parts of the API's session objects that few sessions set: tracing, truncation, reasoning and stored prompts."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject


class TracingConfiguration(ApiObject):
    """A trace with names of its own."""

    workflow_name: str | None = None
    """The workflow's name in the dashboard."""
    group_id: str | None = None
    """Joins several traces."""
    metadata: dict[str, Any] | None = None
    """Anything to filter by."""


def _word_or_object(value: Any) -> str:
    return "word" if isinstance(value, str) else "object"


Tracing = Annotated[
    Annotated[Literal["auto"], Tag("word")] | Annotated[TracingConfiguration, Tag("object")],
    Discriminator(_word_or_object),
]


class TokenLimits(ApiObject):
    """Limits within which truncation keeps the conversation."""

    post_instructions: Annotated[int, Field(ge=0)] | None = None
    """The most tokens after the instructions, tools included."""


class RetentionTruncation(ApiObject):
    """Cut more than needed, so that the next turns find their cache again."""

    type: Literal["retention_ratio"] = "retention_ratio"
    """The kind of truncation."""
    retention_ratio: Annotated[float, Field(ge=0, le=1)]
    """The share of the conversation that is kept when it grows too long, 0 to 1."""
    token_limits: TokenLimits | None = None
    """Limits below the model's own."""


Truncation = Annotated[
    Annotated[Literal["auto", "disabled"], Tag("word")] | Annotated[RetentionTruncation, Tag("object")],
    Discriminator(_word_or_object),
]


class Reasoning(ApiObject):
    """How reasoning models think."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much they think before they speak."""


class Prompt(ApiObject):
    """A stored prompt template and its values."""

    id: Annotated[str, Field(min_length=1)]
    """The template."""
    version: str | None = None
    """Its version."""
    variables: dict[str, str | dict[str, Any]] | None = None
    """A text, or an `input_text`, `input_image` or `input_file` object, for each variable."""
