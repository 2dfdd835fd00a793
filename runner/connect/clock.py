"""How far our clock and an endpoint's are apart, as the date of its handshake says."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_TOLERANCE_S: Final = 5.0
"""The date of a handshake has whole seconds, and travels."""


def clock_behind_s(headers: Mapping[str, str], opened_at_s: float) -> float:
    """How far our clock is behind the endpoint's, in seconds; 0 where it does not say or it is next to nothing.

    Args:
        headers: The headers of the handshake's answer, whose names may be in small letters.
        opened_at_s: When it came by our clock, in Unix seconds.
    """
    try:
        behind_s = parsedate_to_datetime(headers.get("date", "")).timestamp() - opened_at_s
    except ValueError:
        return 0.0
    return behind_s if abs(behind_s) > _TOLERANCE_S else 0.0
