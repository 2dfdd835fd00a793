"""How long to wait before the next attempt to connect, and when to give up."""

import random

from runner.errors import EndpointBusy, RunnerError
from runner.protocol.severity import Recovery, recovery_of
from runner.settings.continuity import Reconnect

MAX_RETRY_AFTER_S = 3600.0
"""The longest wait that an endpoint may ask for, in seconds."""


def bound_s(settings: Reconnect, failures: int) -> float:
    """The longest wait after so many failures in a row, in seconds: it doubles with each, up to the profile's bound."""
    return min(settings.max_delay_s, settings.initial_delay_s * 2.0 ** min(failures - 1, 60))


def expires_too_soon(life_s: float) -> EndpointBusy:
    """The failure of an endpoint that lets no connection live for longer, in seconds."""
    return EndpointBusy(f"the endpoint ends every connection after {life_s:.0f} s", code="session_expired")


class Backoff:
    """Exponential back-off with full jitter: a random part of a bound that doubles with each failure in a row.

    Only a connection that has lived for a while ends a row of failures: an endpoint with a spent quota still connects.

    Args:
        settings: The profile's bounds.

    Attributes:
        settings: As above.
    """

    def __init__(self, settings: Reconnect) -> None:
        self.attempt = 0
        """The number of failures in a row."""
        self.settings = settings

    @property
    def is_spent(self) -> bool:
        """Whether no attempt is left in this row of failures."""
        return self.attempt >= self.settings.max_attempts

    def recovery_of(self, error: RunnerError) -> Recovery:
        """What this failure means for the session."""
        return recovery_of(error, self.settings.classify)

    def lived(self, age_s: float) -> None:
        """A connection has lived for this long, in seconds, before it failed."""
        if age_s >= self.settings.stable_s:
            self.attempt = 0

    def following_s(self, life_s: float) -> float | None:
        """How long to wait before another connection is opened beside one that will expire; None where it is in vain.

        One that lives for less than `stable_s` counts as a failure, or an endpoint that ends every connection at once
        would be given several a second.

        Args:
            life_s: How long the endpoint lets the present connection live, in seconds.
        """
        self.lived(life_s)
        return 0.0 if life_s >= self.settings.stable_s else self.delay_s(expires_too_soon(life_s))

    def delay_s(self, error: RunnerError) -> float | None:
        """How long to wait after this failure, in seconds; None where another attempt would be in vain."""
        kind = self.recovery_of(error)
        if kind == "hopeless" or self.is_spent:
            return None
        self.attempt += 1
        if kind == "expired" and self.attempt == 1:
            return 0.0
        jittered_s = random.uniform(0, bound_s(self.settings, self.attempt))  # noqa: S311  # spreads clients, hides nothing
        asked_s = error.retry_after_s if isinstance(error, EndpointBusy) else None
        # The endpoint asks all clients to wait for the same time, so a random part comes on top.
        return jittered_s if asked_s is None else min(asked_s, MAX_RETRY_AFTER_S) + jittered_s
