"""How long to wait before the next attempt to connect, and when to give up."""

import random

from runner.errors import EndpointBusy, RunnerError
from runner.protocol.severity import Recovery, recovery_of
from runner.settings.continuity import Reconnect


class Backoff:
    """Exponential back-off with full jitter: a random part of a bound that doubles with each failure in a row.

    Only a connection that has lived for a while ends a row of failures: a quota that is gone lets everybody connect.

    Args:
        settings: The profile's bounds.
    """

    def __init__(self, settings: Reconnect) -> None:
        self.attempt = 0
        """The number of failures in a row."""
        self._settings = settings

    def recovery_of(self, error: RunnerError) -> Recovery:
        """What this failure means for the session."""
        return recovery_of(error, self._settings.classify)

    def lived(self, age_s: float) -> None:
        """A connection has lived for this long, in seconds, before it failed."""
        if age_s >= self._settings.stable_s:
            self.attempt = 0

    def delay_s(self, error: RunnerError) -> float | None:
        """How long to wait after this failure, in seconds; None where another attempt would be in vain."""
        kind = self.recovery_of(error)
        if kind == "hopeless" or self.attempt >= self._settings.max_attempts:
            return None
        self.attempt += 1
        if kind == "expired" and self.attempt == 1:
            return 0.0
        bound_s = min(self._settings.max_delay_s, self._settings.initial_delay_s * 2.0 ** min(self.attempt - 1, 60))
        jittered_s = random.uniform(0, bound_s)  # noqa: S311  # spreads clients, hides nothing
        asked_s = error.retry_after_s if isinstance(error, EndpointBusy) else None
        # Everybody was asked to wait for the same time, so a part of our own comes on top.
        return jittered_s if asked_s is None else min(asked_s, MAX_RETRY_AFTER_S) + jittered_s


MAX_RETRY_AFTER_S = 3600.0
"""The longest wait that an endpoint may ask for, in seconds."""
