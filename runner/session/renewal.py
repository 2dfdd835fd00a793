"""A profile that a session is to go by from now on, or from its next connection on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import RunnerError
    from runner.profile.session_source import Fallback
    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile


class Renewal:
    """A change of the profile of a session; where it moves, another connection is opened by it.

    Args:
        profile: What the session is to go by.
        fallbacks: The profiles that take over where it fails.
        asked: The `session` object to ask the next connection for, None where the present one stays.

    Attributes:
        profile: As above.
        asked: As above.
        fallbacks: As above.
        asked_s: When it was asked for, on the event loop's clock, in seconds.
    """

    def __init__(
        self, profile: Profile, asked: JsonObject | None = None, fallbacks: Sequence[Fallback] | None = None
    ) -> None:
        self.profile = profile
        self.fallbacks = fallbacks
        self.asked = asked
        self.asked_s = anyio.current_time()
        self._is_over = anyio.Event()
        self._error: RunnerError | None = None

    @property
    def moves(self) -> bool:
        """Whether the session moves to another connection."""
        return self.asked is not None

    def end(self, error: RunnerError | None = None) -> None:
        """The session goes by the profile now, or does not because of an error."""
        self._error = error
        self._is_over.set()

    async def wait(self) -> None:
        """Wait until the session goes by the profile; raises why it does not."""
        await self._is_over.wait()
        if self._error:
            raise self._error
