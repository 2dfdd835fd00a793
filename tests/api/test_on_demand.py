"""Types that are imported when a value of them is read."""

from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from runner.api.on_demand import OnDemandJsonSchema, on_demand
from runner.settings.idle import Idle
from runner.settings.tool import ToolSettings

LateIdle: Any = on_demand("runner.settings.idle.Idle")
LateTool: Any = on_demand("runner.settings.tool.ToolSettings")


class Early(BaseModel):
    """What names its types itself."""

    idle: Idle | None = None
    tools: list[ToolSettings] = Field(default=[], max_length=2)


class Late(BaseModel):
    """The same on demand."""

    idle: LateIdle | None = None
    tools: list[LateTool] = Field(default=[], max_length=2)


def test_a_value_is_of_the_type_and_written_as_it() -> None:
    """Only what is set, where only that is asked for."""
    asked = {"idle": {"after_s": 3}, "tools": [{"name": "weather", "run": {"kind": "command", "argv": ["weather"]}}]}
    late = Late.model_validate(asked)

    assert late.idle == Idle(after_s=3)
    assert Late.model_validate({"idle": late.idle}).idle is late.idle
    assert late.model_dump(mode="json", exclude_unset=True) == asked
    assert late.model_dump(mode="json") == Early.model_validate(asked).model_dump(mode="json")


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_wrong_has_the_same_place_and_words(strict: bool) -> None:
    """Every problem of every value, below the key that holds it, as strictly as the whole is judged."""
    run = {"kind": "command", "argv": ["weather"], "pass_env": "?"}
    wrong = {"idle": {"after_s": "3", "text": "?"}, "tools": [{"name": "weather", "run": run}]}
    found = []
    for model in (Early, Late):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(wrong, strict=strict)
        found.append(refused.value.errors())

    places = [each["loc"] for each in found[1]]
    assert found[0] == found[1]
    assert places == [("idle", "after_s")] * strict + [("idle", "text"), ("tools", 0, "run", "command", "pass_env")]


def test_the_json_schema_is_the_same() -> None:
    """A schema is for people and their editors, who know nothing of imports."""
    late = Late.model_json_schema(schema_generator=OnDemandJsonSchema)

    assert {**late, "title": "Early", "description": Early.__doc__} == Early.model_json_schema()
