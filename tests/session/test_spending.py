"""What a session has cost is the sum of what each provider was used for."""

from runner.protocol.usage import Usage
from runner.session.spending import Spending
from runner.settings.prices import Prices


def test_what_a_provider_cost_that_is_gone_is_not_forgotten() -> None:
    """A reload, or the next process, may have a fallback no longer: the session's own prices count then."""
    spending = Spending()
    spending.begin("own", Usage())
    spending.begin("west", Usage(output_text_tokens=1_000_000))
    used = Usage(output_text_tokens=3_000_000)
    prices = {"own": Prices(output_text=5.0), "west": Prices(output_text=2.0)}

    assert spending.cost(used, prices) == 5.0 + 4.0
    assert spending.cost(used, {"own": prices["own"]}) == 15.0
    assert spending.cost(used, {"own": None, "west": prices["west"]}) == 4.0
    assert spending.cost(used, {"own": None}) is None
