"""What a run is doing, in one line that is true when it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.runs.life_cycle import Phase
from runner.session.carriage import Between

if TYPE_CHECKING:
    from runner.runs.whereabouts import Whereabouts
    from runner.session.carriage import Place
    from runner.session.session import Session
    from runner.settings.run_settings import RunSettings

_LEAST_SHOWN = 0.01


def status_line(
    phase: Phase, whereabouts: Whereabouts, session: Session | None, settings: RunSettings, reason: str
) -> str:
    """What a run is doing.

    Args:
        phase: Where the run is.
        whereabouts: Where its session is.
        session: The session, None before it is open.
        settings: What the run goes by.
        reason: Why it is about to end, or has ended.
    """
    match phase:
        case Phase.OPENING | Phase.LIVE:
            if session is None or whereabouts.is_between:
                what = "connecting" if session is None else "reconnecting"
                return _connecting(what, whereabouts.place, settings)
            return _open(session, whereabouts)
        case Phase.DRAINING | Phase.FLUSHING:
            return f"draining: {reason}"
        case Phase.ENDED:
            return f"ended: {reason}"


def _open(session: Session, whereabouts: Whereabouts) -> str:
    """By which fallback, how many answers there were, and what they cost where that is known."""
    parts = [f"open on {whereabouts.fallback.name}" if whereabouts.fallback else "open"]
    if session.state.kind == "realtime":
        count = session.usage.responses
        parts.append(f"{count} answer{'' if count == 1 else 's'}")
    if (cost := session.carriage.cost()) is not None:
        parts.append(f"{cost:.{2 if cost >= _LEAST_SHOWN or not cost else 4}f} spent")
    return ", ".join(parts)


def _connecting(what: str, place: Place | None, settings: RunSettings) -> str:
    """Which attempt is due or being made, and why the last one failed."""
    if not isinstance(place, Between):
        return what
    if place.attempt:
        what += f", attempt {place.attempt} of {settings.reconnect.max_attempts}"
    return f"{what}: {place.error.message}" if place.error else what
