"""What the endpoint's rate limits leave, and when that is little."""

from typing import NamedTuple, final

from runner.protocol.json_fields import BadField, JsonObject, count, text
from runner.protocol.severity import plain
from runner.protocol.side_fields import SideFields
from runner.redaction import excerpt

LONGEST_WAIT_S = 300.0
"""No response waits longer for a limit to be reset, in seconds."""

_THRESHOLDS = (0.2, 0.05, 0.0)
_MOST_LIMITS = 32
_LONGEST_NAME = 128


@final
class RateLimitCrossed(NamedTuple):
    """Little or nothing is left of a rate limit, or enough again."""

    name: str
    """What is limited, such as `requests` or `tokens`."""
    limit: int
    remaining: int
    reset_s: float
    """How long until the limit is whole again, in seconds."""
    share: float
    """What remains of the limit, 0 to 1."""

    @property
    def is_low(self) -> bool:
        """Whether little is left, rather than enough again."""
        return self.share <= _THRESHOLDS[0]


class _Limit(NamedTuple):
    reset_at_s: float
    used_up: bool
    reported_thresholds: int
    """How many thresholds were reported since more than the first remained."""


class RateLimits:
    """The latest state of each rate limit.

    Args:
        side: Reads the entries; one without a name or without what remains is left out.
    """

    def __init__(self, side: SideFields | None = None) -> None:
        self._side = side or SideFields()
        self._limits: dict[str, _Limit] = {}

    def update(self, limits: list[JsonObject], at_s: float) -> list[RateLimitCrossed]:
        """Take in the list of one `rate_limits.updated`.

        Args:
            limits: The API's objects: `name`, `limit`, `remaining` and `reset_seconds`.
            at_s: Now, in seconds of any clock that `wait_s` is asked by too.

        Returns:
            The limits of which no more than 20 %, 5 % or nothing remains and this was not said before, and those that
            have recovered above 20 % since.
        """
        crossed = []
        for entry in limits[:_MOST_LIMITS]:
            incoming = _read(entry, self._side)
            if incoming is None:
                continue
            before = self._limits.pop(incoming.name, None)
            reported_thresholds = before.reported_thresholds if before else 0
            now = sum(incoming.share <= threshold for threshold in _THRESHOLDS)
            if now > reported_thresholds or (reported_thresholds and not now):
                crossed.append(incoming)
                reported_thresholds = now
            self._limits[incoming.name] = _Limit(
                at_s + min(incoming.reset_s, LONGEST_WAIT_S), incoming.share == 0, reported_thresholds
            )
            if len(self._limits) > _MOST_LIMITS:
                del self._limits[next(iter(self._limits))]
        return crossed

    def wait_s(self, at_s: float) -> float:
        """How long a new response should wait for a limit that is used up, in seconds, at most `LONGEST_WAIT_S`."""
        waits = [each.reset_at_s - at_s for each in self._limits.values() if each.used_up]
        return max([0.0, *waits])


def _read(entry: JsonObject, side: SideFields) -> RateLimitCrossed | None:
    try:
        name, remaining = excerpt(plain(text(entry, "name")), _LONGEST_NAME), count(entry, "remaining")
    except BadField as bad:
        side.note(str(bad))
        return None
    if entry.get("remaining") is None:
        side.note("`remaining` is not a non-negative whole number")
        return None
    limit = side.count(entry, "limit")
    # A limit of 0 would be no service at all: an endpoint that sends it means that it has none.
    share = min(1.0, remaining / limit) if limit else 1.0
    return RateLimitCrossed(name, limit, remaining, side.number(entry, "reset_seconds"), share)
