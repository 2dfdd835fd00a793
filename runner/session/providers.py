"""The profiles that can carry a session: its own, and the fallbacks whose endpoint, auth and model take its place."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any, Final

import anyio

from runner import logs
from runner.profile.session_source import SessionProfile
from runner.session.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import RunnerError
    from runner.profile.session_source import Fallback
    from runner.session.link import Link
    from runner.settings.prices import Prices
    from runner.settings.profile import Profile
    from runner.settings.run_settings import RunSettings


_SPREAD: Final = 0.1
"""How much longer than the profile says a provider is left alone at most, as a share of that."""


class Providers:
    """The providers of one session in the order in which they are preferred, and the one whose turn it is.

    Args:
        source: What the session is opened from.

    Attributes:
        own: The provider of the session's own profile.
        current: By which the next connection is opened; the present one may be another's until it is replaced.
        chosen_s: Since when that is so, on the event loop's clock, in seconds.
    """

    def __init__(self, source: SessionProfile) -> None:
        profile, name, fallbacks, asked = source
        self.own = self.current = Provider(name, profile, asked=asked)
        self.chosen_s = -math.inf
        self._fallbacks = fallbacks
        self._all = [self.own]
        if fallbacks:
            from runner.profile.takeover import taken_over

            self._all += [
                Provider(each.name, taken_over(profile, each.profile, name=name).profile, is_fallback=True)
                for each in fallbacks
            ]

    def renewed(self, profile: Profile, fallbacks: Sequence[Fallback] | None) -> Providers:
        """The providers of another profile for the session; what is known of these counts.

        Args:
            profile: The other profile.
            fallbacks: The profiles that take over where it fails, None where they stay.
        """
        fallbacks = self._fallbacks if fallbacks is None else fallbacks
        renewed = Providers(SessionProfile(profile, self.own.name, fallbacks))
        known = {each.name: each for each in self._all}
        for each in renewed._all:
            if each.name in known:
                each.succeed(known[each.name])
        renewed.current = renewed.named(self.current.name)
        renewed.chosen_s = self.chosen_s
        return renewed

    @property
    def settings(self) -> RunSettings:
        """How the session is kept alive, whatever carries it."""
        return self.own.profile.run

    @property
    def are_several(self) -> bool:
        """Whether there are fallbacks."""
        return len(self._all) > 1

    @property
    def prices(self) -> dict[str, Prices | None]:
        """What tokens cost, by the names of the providers."""
        return {each.name: each.profile.run.limits.prices for each in self._all}

    def named(self, name: str) -> Provider:
        """The provider of this name; the session's own where there is none."""
        return next((each for each in self._all if each.name == name), self.own)

    def other_than(self, provider: Provider) -> Provider | None:
        """The first that could take over from this one now, None where there is none."""
        if not self.are_several:
            return None
        now_s = anyio.current_time()
        return next((each for each in self._all if each.name != provider.name and each.rests_until_s <= now_s), None)

    def fall_back(self, error: RunnerError | None = None, *, anyhow: bool = False) -> bool:
        """Have the next one take over from the current one; returns whether there is one.

        Args:
            error: Why no connection by the current one can be had, None where its responses keep failing.
            anyhow: Whether the session ends otherwise: one that is to be left alone will do then, too, if another
                attempt there is not in vain.
        """
        if not self.are_several:
            return False
        failed, told = self.current, self._rest(error)
        following = self.other_than(failed)
        if following is None and anyhow:
            following = next((each for each in self._all if each is not failed and not each.is_vain), None)
        told |= {"next": following.name} if following else {}
        logs.logger().warning("provider_failed", **told)
        if following is None:
            return False
        self._choose(following)
        return True

    def forgo(self, link: Link, error: RunnerError) -> None:
        """Have a third one take over, or leave the session where it is: the one that was sought cannot be had.

        Args:
            link: The connection that carries the session.
            error: Why.
        """
        third = self.other_than(self.current)
        if third is not None and third is not link.provider:
            self.fall_back(error)
        elif link.provider is not None:
            logs.logger().warning("provider_left_alone", **self._rest(error))
            self._choose(link.provider)

    def moves(self, link: Link) -> bool:
        """Whether another one is to take over from the one that this connection was opened by."""
        return link.provider is not self.current

    def look(self, link: Link) -> float:
        """Have another one take over from the one that carries the session, where that is due.

        Returns:
            When to look again, on the event loop's clock, in seconds.
        """
        if self.moves(link) or not self.are_several:
            return math.inf
        if keeps_failing(link):
            if self.other_than(self.current):
                self.fall_back()
        elif anyio.current_time() >= self._return_s and (better := self.other_than(self.current)):
            logs.logger().info("provider_sought", provider=better.name)
            self._choose(better)
        return self._return_s

    @property
    def _return_s(self) -> float:
        """When the session may move back to a provider that is preferred to the current one; infinite where to none."""
        before = self._all[: self._all.index(self.current)] if self.are_several else ()
        return min((each.rests_until_s for each in before), default=math.inf)

    def _rest(self, error: RunnerError | None) -> dict[str, Any]:
        """Leave the current one alone for a while, and for how long; many sessions shall not return at one moment."""
        cooldown_s = self.settings.fallback_cooldown_s * random.uniform(1.0, 1.0 + _SPREAD)  # noqa: S311  # hides nothing
        self.current.rests_until_s = anyio.current_time() + cooldown_s
        self.current.failure = self.current.failure_of(error)
        told = {"provider": self.current.name, "reason": self.current.failure, "for_s": round(cooldown_s, 1)}
        return {**told, **(error.facts if error else {})}

    def _choose(self, provider: Provider) -> None:
        self.current, self.chosen_s = provider, anyio.current_time()


def keeps_failing(link: Link) -> bool:
    """Whether a response has failed on this connection more often than it is retried."""
    state = link.state
    return any(each.failures > state.max_response_retries for each in state.retries)
