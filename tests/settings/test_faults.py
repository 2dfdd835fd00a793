"""Faults that the local endpoint injects: which connections they befall, and when."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from runner.settings.faults import DEFAULT_AFTER_EVENTS, AnyFault, AnySessionFault, DropFault, DuplicateFault, Fault
from tests.settings.conftest import Refused

KINDS = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(AnyFault)]
SESSION_KINDS = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(AnySessionFault)]
NEEDED: dict[str, dict[str, Any]] = {"delay": {"delay_s": 1}, "drift": {"settings": {"model": "another"}}}
"""What a fault needs besides its kind."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_befalls_the_first_connection(kind: str) -> None:
    """Unless it says otherwise, it does so once and for certain."""
    fault = TypeAdapter[Any](Fault).validate_python({"kind": kind, **NEEDED.get(kind, {})})

    assert (fault.kind, fault.times, fault.first, fault.chance) == (kind, 1, 1, 1.0)


@pytest.mark.parametrize("kind", SESSION_KINDS)
def test_a_fault_within_a_session_has_one_moment(refused: Refused, kind: str) -> None:
    """A fault takes `after_events` or `after_s`, never both."""
    moments = {"after_events": 3, "after_s": 1.0}

    assert refused(Fault, {"kind": kind, **moments}) == {kind: "value_error"}
    assert [refused(Fault, {"kind": kind, key: value}) for key, value in moments.items()] == [{}, {}]


def test_the_moment_counts_events_unless_it_is_a_time() -> None:
    """By default it comes when the session is configured."""
    assert DropFault(kind="drop").moment_events == DEFAULT_AFTER_EVENTS
    assert DropFault(kind="drop", after_events=0).moment_events == 0
    assert DropFault(kind="drop", after_s=1.0).moment_events is None
    assert DuplicateFault(kind="duplicate").moment_events == DEFAULT_AFTER_EVENTS


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ({"kind": "close", "code": 1006}, {"close.code": "value_error"}),
        ({"kind": "close", "code": 999}, {"close.code": "greater_than_equal"}),
        ({"kind": "close", "reason": "a" * 124}, {"close.reason": "string_too_long"}),
        ({"kind": "duplicate", "after_events": 0}, {"duplicate.after_events": "greater_than_equal"}),
        ({"kind": "refuse", "status": 200}, {"refuse.status": "greater_than_equal"}),
        ({"kind": "delay"}, {"delay.delay_s": "missing"}),
        ({"kind": "slow", "bytes_per_s": 0}, {"slow.bytes_per_s": "greater_than_equal"}),
        ({"kind": "oversized", "size_bytes": 1}, {"oversized.size_bytes": "greater_than_equal"}),
        ({"kind": "silent", "after_s": 1}, {"silent.after_s": "extra_forbidden"}),
        ({"kind": "drop", "chance": 1.1}, {"drop.chance": "less_than_equal"}),
        ({"kind": "drop", "first": 0}, {"drop.first": "greater_than_equal"}),
        ({"kind": "drop", "times": -1}, {"drop.times": "greater_than_equal"}),
    ],
)
def test_a_fault_refuses(refused: Refused, fault: dict[str, Any], errors: dict[str, str]) -> None:
    """A fault that could not be injected is refused."""
    assert refused(Fault, fault) == errors
