"""Where the session of a run is, for those who follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.session.carriage import Between, Carried

if TYPE_CHECKING:
    from runner.session.carriage import Moved, Place


class Whereabouts:
    """Where the session of a run is.

    Attributes:
        place: None before it is being opened.
        followers: Called with each new place; they must not wait.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.followers: list[Moved] = []
        self._was_carried = False

    def take(self, place: Place) -> None:
        """Take a new place."""
        self.place = place
        self._was_carried = self._was_carried or isinstance(place, Carried)
        for follow in self.followers:
            follow(place)

    @property
    def is_between(self) -> bool:
        """Whether the session has lost its connection and waits for the next one."""
        return self._was_carried and isinstance(self.place, Between)

    @property
    def between_since_s(self) -> float | None:
        """Since when it has done so, on the event loop's clock, in seconds; None where it does not."""
        return self.place.since_s if self._was_carried and isinstance(self.place, Between) else None

    @property
    def is_unminded(self) -> bool:
        """Whether nobody would notice that the endpoint is silent: what looks after the connection hangs."""
        return isinstance(self.place, Carried) and self.place.link.is_unminded
