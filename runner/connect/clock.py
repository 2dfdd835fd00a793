"""How far the clocks of this machine and of an endpoint are apart, by the date of its handshake."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_TOLERANCE_S: Final = 5.0
"""The date of a handshake has whole seconds, and travels."""


def clock_behind_s(headers: Mapping[str, str], opened_at_s: float) -> float:
    """How far this machine's clock is behind the endpoint's, in seconds; 0 where that is unknown or at most 5.

    Args:
        headers: The headers of the handshake's answer, whose names may be in small letters.
        opened_at_s: When the answer came by this machine's clock, in Unix seconds.
    """
    try:
        behind_s = parsedate_to_datetime(headers.get("date", "")).timestamp() - opened_at_s
    except ValueError:
        return 0.0
    return behind_s if abs(behind_s) > _TOLERANCE_S else 0.0
