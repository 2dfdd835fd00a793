"""Where the session of a run is, for those who follow it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.session.carriage import Between, Carried, Over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.session.carriage import Moved, Place
    from runner.session.link import Link
    from runner.session.provider import Provider
    from runner.settings.profile import Profile


class Whereabouts:
    """Where the session of a run is.

    Attributes:
        place: None before it is being opened.
        followers: Called with each new place; they must not wait.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.followers: list[Moved] = []
        self._link: Link | None = None
        """The connection that carries the session, or carried it last."""

    def take(self, place: Place) -> None:
        """Take a new place."""
        self.place = place
        self._link = place.link if isinstance(place, Carried) else self._link
        for follow in self.followers:
            follow(place)

    @contextmanager
    def telling_of_end(self, end: Callable[[str], object]) -> Iterator[None]:
        """Call `end` with "endpoint" once the session is over, if it is or ends while the context lasts."""

        def follow(place: Place | None) -> None:
            if isinstance(place, Over):
                end("endpoint")

        self.followers.append(follow)
        follow(self.place)
        try:
            yield
        finally:
            self.followers.remove(follow)

    @property
    def is_between(self) -> bool:
        """Whether the session has lost its connection and waits for the next one."""
        return self._link is not None and isinstance(self.place, Between)

    @property
    def between_since_s(self) -> float | None:
        """Since when it has done so, on the event loop's clock, in seconds; None where it does not."""
        return self.place.since_s if self._link and isinstance(self.place, Between) else None

    @property
    def fallback(self) -> Provider | None:
        """What has taken over from the session's own profile, None where that carries it."""
        provider = self._link.provider if self._link else None
        return provider if provider and provider.is_fallback else None

    def told(self, profile: Profile) -> dict[str, str]:
        """Where the session's profile, or a fallback, has it, as keys of a log line."""
        if fallback := self.fallback:
            return {"provider": fallback.name, "endpoint": fallback.profile.endpoint.kind}
        return {"endpoint": profile.endpoint.kind}

    @property
    def is_unminded(self) -> bool:
        """Whether nobody would notice that the endpoint is silent: what looks after the connection hangs."""
        return isinstance(self.place, Carried) and self.place.link.is_unminded
