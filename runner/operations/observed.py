"""The interfaces by which what runs can be observed; the room `runs` has what fits them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.operations.controllable import ControllableRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.session.carriage import Moved, Place
    from runner.session.provider import Provider
    from runner.session.pump import Reader


class ObservedPlace(Protocol):
    """Where the session of a run is.

    Attributes:
        place: None before it is being opened.
        followers: Called with each new place; they must not wait.
    """

    place: Place | None
    followers: list[Moved]

    @property
    def fallback(self) -> Provider | None:
        """What has taken over from the session's own profile, None where that carries it."""

    @property
    def is_unminded(self) -> bool:
        """Whether nobody would notice that the endpoint is silent."""

    @property
    def between_since_s(self) -> float | None:
        """Since when the session waits for the next connection, in seconds of the event loop's clock; None if not."""


class ObservedRun(ControllableRun, Protocol):
    """One session of a process, with all that can be seen of it.

    Attributes:
        readers: Called with each update, where they are added before it begins; they must not wait.
    """

    readers: list[Reader]

    @property
    def whereabouts(self) -> ObservedPlace:
        """Where its session is."""


class ObservedOutcome(Protocol):
    """How a session has ended."""

    @property
    def is_forced(self) -> bool:
        """Whether a second signal or the end of the grace period cut it short."""


class ObservedFleet(Protocol):
    """The sessions of a process."""

    @property
    def runs(self) -> Sequence[ObservedRun]:
        """All of them, in the order of their numbers."""


class EndingFleet(ObservedFleet, Protocol):
    """The sessions of a process, and how they end."""

    @property
    def outcomes(self) -> Sequence[ObservedOutcome]:
        """How those ended that have ended."""
