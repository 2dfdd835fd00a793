"""The API's objects of decisions: the questions that a Live session has decided, and what is known besides."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.api_object import ApiObject
from runner.api.items import ItemStatus

Parts = Annotated[list[dict[str, Any]], Field(min_length=1)]
"""The parts of a text, as the Decision API has them."""


def _text_or_parts(value: Any) -> str:
    return "text" if isinstance(value, str) else "parts"


TextOrParts = Annotated[Annotated[str, Tag("text")] | Annotated[Parts, Tag("parts")], Discriminator(_text_or_parts)]


class ChoiceOption(ApiObject):
    """One of the options of a choice."""

    value: str | bool
    """The option."""
    description: str | None = None
    """What it means."""


class ChoiceQuestion(ApiObject):
    """Which of several options holds."""

    type: Literal["choice"] = "choice"
    """The kind of the question."""
    instructions: TextOrParts
    """The question."""
    choices: Annotated[list[ChoiceOption], Field(min_length=1)]
    """The options."""
    name: str | None = None
    """What its answer is called."""


class PredicateQuestion(ApiObject):
    """Whether something holds."""

    type: Literal["predicate"] = "predicate"
    """The kind of the question."""
    instructions: TextOrParts
    """The question."""
    name: str | None = None
    """What its answer is called."""


class ScoreLevel(ApiObject):
    """One of the levels of a score."""

    label: str
    """The level."""
    description: str | None = None
    """What it means."""


class ScoreQuestion(ApiObject):
    """How much something holds."""

    type: Literal["score"] = "score"
    """The kind of the question."""
    instructions: TextOrParts
    """The question."""
    levels: Annotated[list[ScoreLevel], Field(min_length=1)]
    """The levels, the lowest first."""
    name: str | None = None
    """What its answer is called."""


Question = Annotated[ChoiceQuestion | PredicateQuestion | ScoreQuestion, Field(discriminator="type")]
QuestionList = Annotated[list[Question], Field(min_length=1)]


class DecisionsChange(ApiObject):
    """What changes about the Decisions model behind a session; what is left out stays."""

    model: Annotated[str, Field(min_length=1)] | None = None
    """The model."""
    questions: QuestionList | None = None
    """What it decides."""


class Decisions(ApiObject):
    """The Decisions model to which a session delegates."""

    model: Annotated[str, Field(min_length=1)]
    """The model."""
    questions: QuestionList
    """What it decides."""


class TriggerQuestions(ApiObject):
    """What a trigger has decided."""

    questions: QuestionList
    """The questions, decided together and in this order."""


class Trigger(ApiObject):
    """Has something decided whenever the transcript goes on."""

    type: Literal["decisions"] = "decisions"
    """The kind of the trigger."""
    event_type: Literal["session.input_transcript.delta", "session.output_transcript.delta"]
    """The event that triggers it."""
    decisions: TriggerQuestions
    """What is decided."""


Triggers = Annotated[list[Trigger], Field(max_length=2)]
"""At most one for each type of event."""


class DecisionMessage(ApiObject):
    """A message that decisions go by."""

    type: Literal["message"] = "message"
    role: Literal["user", "developer", "system", "assistant"]
    """Who has said it."""
    content: TextOrParts
    """What was said."""
    id: str | None = None
    """The item's id."""


class DecisionCall(ApiObject):
    """The call of a function that decisions go by."""

    type: Literal["function_call"] = "function_call"
    call_id: str
    """The call's id."""
    name: str
    """The function."""
    arguments: str
    """Its arguments, JSON as text."""
    id: str | None = None
    """The item's id."""
    namespace: str | None = None
    """Where the function belongs to."""
    status: ItemStatus | None = None
    """Whether it is whole."""


class DecisionCallOutput(ApiObject):
    """What a function has answered that decisions go by."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    """The call's id."""
    output: TextOrParts
    """The answer."""
    id: str | None = None
    """The item's id."""
    status: ItemStatus | None = None
    """Whether it is whole."""


class DecisionCustomCall(ApiObject):
    """The call of a custom tool that decisions go by."""

    type: Literal["custom_tool_call"] = "custom_tool_call"
    call_id: str
    """The call's id."""
    name: str
    """The tool."""
    input: str
    """What it was given."""
    id: str | None = None
    """The item's id."""
    namespace: str | None = None
    """Where the tool belongs to."""
    status: ItemStatus | None = None
    """Whether it is whole."""


class DecisionCustomCallOutput(ApiObject):
    """What a custom tool has answered that decisions go by."""

    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    call_id: str
    """The call's id."""
    output: TextOrParts
    """The answer."""
    id: str | None = None
    """The item's id."""
    status: ItemStatus | None = None
    """Whether it is whole."""


def _item_tag(value: Any) -> Any:
    return value.get("type", "message") if isinstance(value, dict) else getattr(value, "type", None)


DecisionItem = Annotated[
    Annotated[DecisionMessage, Tag("message")]
    | Annotated[DecisionCall, Tag("function_call")]
    | Annotated[DecisionCallOutput, Tag("function_call_output")]
    | Annotated[DecisionCustomCall, Tag("custom_tool_call")]
    | Annotated[DecisionCustomCallOutput, Tag("custom_tool_call_output")],
    Discriminator(_item_tag),
]
