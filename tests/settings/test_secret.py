"""References to secrets: the key of the table tells its kind, and no value is ever one."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from runner.settings.secret import KINDS, CommandSecret, SecretRef
from tests.settings.conftest import Refused

REFERENCES: dict[str, Any] = {"env": "KEY", "file": "key.txt", "credential": "key", "command": ["pass", "key"]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_by_its_key(kind: str) -> None:
    """The reference has the key as its field, and validating it again changes nothing."""
    reference = TypeAdapter[Any](SecretRef).validate_python({kind: REFERENCES[kind]})

    assert hasattr(reference, kind)
    assert TypeAdapter[Any](SecretRef).validate_python(reference) is reference


@pytest.mark.parametrize("value", ["sk-1234567890", {}, {"key": "sk-1234567890"}, ["KEY"], None])
def test_a_value_is_no_reference(refused: Refused, value: Any) -> None:
    """The one error says so, without the value."""
    assert refused(SecretRef, value) == {"": "secret_reference"}


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"env": ""}, {"env.env": "string_too_short"}),
        ({"env": "MY-KEY"}, {"env.env": "string_pattern_mismatch"}),
        ({"env": "KEY", "file": "key.txt"}, {"env.file": "extra_forbidden"}),
        ({"credential": "../key"}, {"credential.credential": "string_pattern_mismatch"}),
        ({"command": []}, {"command.command": "too_short"}),
        ({"command": "pass key"}, {"command.command": "list_type"}),
        ({"command": ["pass"], "timeout_s": 0}, {"command.timeout_s": "greater_than"}),
    ],
)
def test_a_reference_has_constraints(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """A reference that could never be read is refused before anything reads it."""
    assert refused(SecretRef, table) == errors


def test_a_command_has_ten_seconds() -> None:
    """A password manager that waits for its user cannot hold up a start."""
    assert CommandSecret(command=["pass", "key"]).timeout_s == 10.0
