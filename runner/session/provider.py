"""One profile that can carry a session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from runner.protocol.session_update import session_update
from runner.session.backoff import Backoff
from runner.session.connector import Connector

if TYPE_CHECKING:
    from runner.api.session_types import SessionType
    from runner.errors import RunnerError
    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile

Failure = Literal["hopeless", "unreachable", "responses"]
"""Why a provider carries the session no longer: another attempt is in vain, none succeeds, or its responses fail."""


class Provider:
    """A profile by which the connections of a session are opened.

    Args:
        name: The name of the profile that its endpoint is of.
        profile: The session's profile with that endpoint, and with its auth, model and prices.
        is_fallback: Whether that is another profile than the session's own.
        asked: The `session` object of its first event, where somebody has made it already.

    Attributes:
        name: As above.
        profile: As above.
        is_fallback: As above.
        connector: The way to the endpoint.
        backoff: Says how long to wait after a failure there.
        rests_until_s: Until when it is left alone, on the event loop's clock, in seconds.
        failure: In which way it has failed last.
    """

    def __init__(
        self, name: str, profile: Profile, *, is_fallback: bool = False, asked: JsonObject | None = None
    ) -> None:
        self.name = name
        self.profile = profile
        self.is_fallback = is_fallback
        self._asked = asked
        self.connector = Connector(profile)
        self.backoff = Backoff(profile.run.reconnect)
        self.rests_until_s = -math.inf
        self.failure: Failure | None = None

    @property
    def asked(self) -> JsonObject:
        """The `session` object that a connection of it is first asked for; to be read only."""
        if self._asked is None:
            self._asked = session_update(self.profile)["session"]
        return self._asked

    @property
    def kind(self) -> SessionType:
        """The kind of its sessions."""
        return self.profile.session.type

    @property
    def is_vain(self) -> bool:
        """Whether another attempt to connect would be in vain."""
        return self.failure == "hopeless" or self.backoff.is_spent

    def is_where(self, other: Provider | None) -> bool:
        """Whether another one has the same endpoint, auth and model; only what a reload has left as it was has that."""
        return other is not None and self.connector is other.connector

    def failure_of(self, error: RunnerError | None) -> Failure:
        """In which way it has failed, where this is why no connection can be had."""
        if error is None:
            return "responses"
        return "hopeless" if self.backoff.recovery_of(error) == "hopeless" else "unreachable"

    def succeed(self, before: Provider) -> None:
        """Go on with what another profile's provider of this name has known; what has changed is tried afresh."""
        here, there = self.profile, before.profile
        if (here.endpoint, here.auth, here.model) == (there.endpoint, there.auth, there.model):
            self.connector, self.backoff.attempt = before.connector, before.backoff.attempt
            self.rests_until_s, self.failure = before.rests_until_s, before.failure
