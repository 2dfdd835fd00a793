"""What a run is doing, in one line that is true when it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.session.carriage import Between

if TYPE_CHECKING:
    from runner.protocol.usage import Usage
    from runner.session.carriage import Place
    from runner.settings.run_settings import RunSettings

_LEAST_SHOWN = 0.01


def open_status(usage: Usage, settings: RunSettings, *, counts_answers: bool) -> str:
    """The line of a run whose session is open: how many answers there were, and what they cost where that is known."""
    parts = ["open"]
    if counts_answers:
        parts.append(f"{usage.responses} answer{'' if usage.responses == 1 else 's'}")
    if settings.limits.prices:
        cost = usage.cost(settings.limits.prices)
        parts.append(f"{cost:.{2 if cost >= _LEAST_SHOWN or not cost else 4}f} spent")
    return ", ".join(parts)


def connecting_status(place: Place | None, settings: RunSettings, *, was_open: bool) -> str:
    """The line of a run that has no connection: which attempt is due or being made, and why the last one failed."""
    what = "reconnecting" if was_open else "connecting"
    if not isinstance(place, Between):
        return what
    if place.attempt:
        what += f", attempt {place.attempt} of {settings.reconnect.max_attempts}"
    return f"{what}: {place.error.message}" if place.error else what
