"""The end of a session whose endpoint has something to finish first: `session.close` and `session.closed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final


@dataclass(slots=True)
class Closing:
    """How far the end of a translation or a Live session is on one connection; no other kind has this event."""

    is_asked: bool = False
    """Whether the client has sent `session.close`."""
    is_over: bool = False
    """Whether the endpoint has sent `session.closed`."""

    @property
    def is_concluded(self) -> bool:
        """Whether the endpoint has sent `session.closed` because the client asked for it."""
        return self.is_asked and self.is_over


@final
class Concluded(NamedTuple):
    """The endpoint has ended a translation or a Live session with `session.closed`."""

    was_asked: bool
    """Whether the client had asked for it."""
    reason: str = ""
    """Why a Live session has ended, in the endpoint's word, such as `expired`."""
