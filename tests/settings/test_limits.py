"""Budgets: none unless it is asked for, and none that nothing could keep."""

from typing import Any

import pytest

from runner.settings.limits import Limits
from runner.settings.prices import Prices
from tests.settings.conftest import Refused


def test_a_session_has_no_budget_by_default() -> None:
    """A budget is None and a price is 0 unless the profile says otherwise."""
    assert set(Limits().model_dump().values()) == {None}
    assert set(Prices().model_dump().values()) == {0.0}


@pytest.mark.parametrize("name", sorted(Limits.model_fields.keys() - {"prices"}))
def test_a_budget_of_nothing_is_refused(refused: Refused, name: str) -> None:
    """Such a session could not begin."""
    assert refused(Limits, {name: 0}) == {name: "greater_than"}


@pytest.mark.parametrize("name", Prices.model_fields)
@pytest.mark.parametrize(
    ("price", "error"), [(-1, "greater_than_equal"), (float("inf"), "finite_number"), (float("nan"), "finite_number")]
)
def test_a_price_is_a_number(refused: Refused, name: str, price: float, error: str) -> None:
    """A negative or infinite price is refused."""
    assert error in refused(Prices, {name: price}).values()


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ({"max_turns": 1.5}, {"max_turns": "int_from_float"}),
        ({"max_cost": float("inf")}, {"max_cost": "finite_number"}),
        ({"max_cost": 5, "prices": {"output_audio": 64.0}}, {}),
        ({"prices": {"output": 1}}, {"prices.output": "extra_forbidden"}),
        ({"max_tokens": 1}, {"max_tokens": "extra_forbidden"}),
    ],
)
def test_limits_refuse(refused: Refused, table: dict[str, Any], errors: dict[str, str]) -> None:
    """Each error names the key that has it."""
    assert refused(Limits, table) == errors
