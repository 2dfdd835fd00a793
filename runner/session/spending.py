"""What a session has cost: what each provider was used for, by the prices of its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.protocol.usage import Usage

if TYPE_CHECKING:
    from runner.settings.prices import Prices


class Spending:
    """Tells apart what the providers of one session were used for."""

    def __init__(self) -> None:
        self._provider = ""
        self._before: dict[str, Usage] = {}
        """What was used until another provider took over, by the name of the one that was used."""
        self._counted = Usage()
        """The usage of the session when that was counted last."""

    def restore(self, before: Mapping[str, Usage], usage: Usage) -> None:
        """Count on from what earlier processes have used.

        Args:
            before: What they have used each provider for.
            usage: What the session has used so far.
        """
        self._before, self._counted = dict(before), replace(usage)

    def begin(self, provider: str, usage: Usage) -> None:
        """Count for this provider what the session uses from now on.

        Args:
            provider: Its name.
            usage: What the session has used so far.
        """
        if self._provider and provider != self._provider:
            self._before[self._provider] = self.of(usage)[self._provider]
            self._counted = replace(usage)
        self._provider = provider

    def add_late(self, provider: str, live_s: float) -> None:
        """Count for this provider a time that was billed after another one has taken over, in seconds."""
        if live_s and provider != self._provider and provider in self._before:
            before = self._before[provider]
            self._before[provider] = replace(before, live_s=before.live_s + live_s)
            self._counted.live_s += live_s

    def of(self, usage: Usage) -> dict[str, Usage]:
        """What each provider was used for, where this is what the session has used."""
        used, past = usage.since(self._counted), self._before.get(self._provider)
        return {**self._before, self._provider: used if past is None else past + used}

    def cost(
        self, usage: Usage, prices: Mapping[str, Prices | None], *, since: Mapping[str, Usage] | None = None
    ) -> float | None:
        """What that costs, in the currency of the prices; None where nothing has a price.

        Args:
            usage: What the session has used.
            prices: What tokens cost, by the names of the providers, the session's own first: by that goes what was
                used of one that the profile names no longer.
            since: What is not counted, since it was used before; None where all is.
        """
        if not any(prices.values()):
            return None
        own, before = next(iter(prices.values())), since or {}
        used = {name: each.since(before.get(name, Usage())) for name, each in self.of(usage).items()}
        return sum(amounts.cost(each) for name, amounts in used.items() if (each := prices.get(name, own)))
