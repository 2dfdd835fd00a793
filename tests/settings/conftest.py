"""What a setting refuses, by the place and pydantic's name of each error."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError, create_model

from runner.api.strict import Section

Refused = Callable[[Any, Any], dict[str, str]]

_TABLES: dict[int, type[Section]] = {}
"""For each type a table that holds it, because it takes time to build one."""


@pytest.fixture
def refused() -> Refused:
    """Validate a value as a type; returns the errors by dotted location, none where the value is valid.

    No error may show what was given: a secret might stand where none belongs.
    """

    def errors(kind: Any, value: Any) -> dict[str, str]:
        if id(kind) not in _TABLES:
            _TABLES[id(kind)] = create_model("Table", __base__=Section, value=(kind, ...))
        try:
            _TABLES[id(kind)].model_validate({"value": value})
        except ValidationError as error:
            text, found = str(error), error.errors(include_input=False)
        else:
            return {}
        assert "input_value" not in text
        return {".".join(map(str, each["loc"][1:])): each["type"] for each in found}

    return errors
