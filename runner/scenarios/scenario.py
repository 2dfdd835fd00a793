"""What a scenario may say: the models behind `schemas/scenario.schema.json`."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, JsonValue, Tag, model_validator

from runner.api.strict import Section
from runner.settings.faults import Fault
from runner.settings.script import ScriptedReply

Word = Annotated[str, Field(min_length=1)]
Absence = Literal["answer", "call", "interruption", "error"]


class Expectation(Section):
    """One thing that is expected of a turn: words, a call, an absence or an interruption."""

    said_by: Literal["agent", "user"] = "agent"
    """Whose words `text_contains` and `text_excludes` are about; alone, that anything is said at all."""
    text_contains: list[Word] = []
    """Texts that are said in the turn, in any order, without regard to case and to the length of spaces."""
    text_excludes: list[Word] = []
    """Texts that are not said in the turn."""
    calls: Word | None = None
    """A tool that is called in the turn."""
    arguments: dict[str, JsonValue] = Field(default={}, alias="with")
    """Arguments of that call; others may be there too."""
    absent: Absence | None = None
    """What does not happen in the turn: an `answer`, a `call`, an `interruption` or an `error`."""
    interrupted: bool | None = None
    """Whether an answer is interrupted in the turn."""
    within_ms: Annotated[int, Field(gt=0, le=600_000)] | None = None
    """How long after the user's last word it may take to begin, in milliseconds: a limit of time, as `[limits]` are."""

    @model_validator(mode="after")
    def _expects_one_thing(self) -> Self:
        given = self.model_fields_set
        has_words = bool(given & {"said_by", "text_contains", "text_excludes"})
        things = [has_words, self.calls is not None, self.absent is not None, self.interrupted is not None]
        if sum(things) != 1:
            msg = "an expectation is about one thing: words, `calls`, `absent` or `interrupted`"
            raise ValueError(msg)
        if "arguments" in given and self.calls is None:
            msg = "`with` are the arguments of `calls`"
            raise ValueError(msg)
        if self.within_ms is not None and (self.absent or self.interrupted is False or not self.happens):
            msg = "`within_ms` needs something that is to happen"
            raise ValueError(msg)
        return self

    @property
    def happens(self) -> bool:
        """Whether something is to happen, and not only to be absent."""
        if self.absent is not None or self.interrupted is False:
            return False
        return bool(self.text_contains or self.calls or self.interrupted) or not self.text_excludes


class ScenarioTurn(Section):
    """One turn: what the user says, where he does, and what is expected until the next one."""

    user: Word | None = None
    """What the user says, as text. A turn without user is what the agent says by itself, such as the greeting."""
    spoken: bool | Literal["model"] = False
    """Say `user` aloud: `true` in the synthetic voice, which only the local endpoint understands; `"model"` in English
    by a model on this machine (extra `local`), for any endpoint, of which the local one then hears by models too."""
    audio: Path | None = None
    """A recording that the user says instead, as `[input] kind = "file"` takes it; a relative path starts at the
    scenario."""
    over: bool = False
    """Say it over the answer to the turn before, as soon as that is heard; what is typed cancels it."""
    expect: list[Expectation] = []
    """What is expected, in any order; all of it counts."""

    @model_validator(mode="after")
    def _is_said_in_one_way(self) -> Self:
        if self.user is not None and self.audio is not None:
            msg = "a turn has `user` or `audio`"
            raise ValueError(msg)
        if self.spoken and self.user is None:
            msg = "`spoken` needs `user`, the words that are spoken"
            raise ValueError(msg)
        if self.over and not self.has_user:
            msg = "`over` needs a user who says something"
            raise ValueError(msg)
        if not self.has_user and not any(each.happens for each in self.expect):
            msg = "a turn without `user` and `audio` expects something that is to happen"
            raise ValueError(msg)
        return self

    @property
    def has_user(self) -> bool:
        """Whether the user says something."""
        return self.user is not None or self.audio is not None

    @property
    def is_voiced(self) -> bool:
        """Whether what the user says is sound."""
        return bool(self.spoken) or self.audio is not None


class AnsweredCall(Section):
    """What a tool answers in place of itself."""

    arguments: dict[str, JsonValue] = Field(default={}, alias="with")
    """The arguments of the calls that it is for; others may be there too."""
    output: JsonValue
    """The result: a text as it is, anything else as JSON."""
    fails: bool = False
    """Whether the call fails."""


def _answers(value: object) -> str:
    return "several" if isinstance(value, list) else "one"


AnsweredCalls = Annotated[
    Annotated[AnsweredCall, Tag("one")] | Annotated[list[AnsweredCall], Tag("several")], Discriminator(_answers)
]


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        msg = "there is no such day"
        raise ValueError(msg) from None


class JudgeSettings(Section):
    """Criteria of the conversation that a text model judges, where `--judge` asks for it."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    """A text model of the profile's endpoint, on Azure a deployment; one with a date in its name stays the same."""
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
    """The day that the model takes for today, such as "2026-11-29", so that it judges the same way on any day."""
    criteria: Annotated[list[Word], Field(min_length=1, max_length=100)]
    """Sentences that have to be true of the whole conversation."""


class ExpectedEnd(Section):
    """How the session ends."""

    reason: Word
    """The reason in the log's words, such as `hung-up`, `idle` or `input-end`."""


class ScenarioLimits(Section):
    """Limits on time and cost; they count with `--limits`, or at another endpoint than the local one."""

    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """What a session may cost by the profile's prices, in their currency."""
    first_audio_p95_ms: Annotated[int, Field(gt=0, le=600_000)] | None = None
    """How long answers may take to their first audio, in milliseconds: 95 of 100, over all repeats."""


class Scenario(Section):
    """One conversation with a profile, and what is expected of it."""

    version: Literal[1]
    """The version of the scenario's format."""
    description: str = ""
    """One line about it."""
    profile: Word
    """The profile by name or path: a relative path starts at the scenario; a name is searched for in the folder
    above the scenario's, and then as everywhere."""
    variables: dict[str, str] = {}
    """The values of the profile's variables."""
    script: list[ScriptedReply] = []
    """What the local endpoint answers, before the profile's own script."""
    faults: list[Fault] = []
    """What goes wrong at the local endpoint."""
    tool_results: dict[str, AnsweredCalls] = {}
    """What tools answer, by their names; all others run. Of several answers the first whose `with` fits is given."""
    turns: Annotated[list[ScenarioTurn], Field(min_length=1)]
    """The conversation."""
    end: ExpectedEnd | None = None
    """How the session ends; without it, the scenario ends it after its last turn."""
    judge: list[JudgeSettings] = []
    """Who judges, with `--judge`, what words and calls alone do not show."""
    limits: ScenarioLimits = ScenarioLimits()
    """Limits on time and cost."""
    pass_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """With `--repeat`: the share of the runs that has to pass."""
    turn_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """How long a turn, or the end of the session, may take at all, in seconds."""

    @model_validator(mode="after")
    def _begins_with_itself(self) -> Self:
        if self.turns[0].over:
            msg = "the first turn has no answer to be said over"
            raise ValueError(msg)
        return self
