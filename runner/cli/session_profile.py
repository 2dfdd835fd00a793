"""The profile of a session that a command tries, where no run gives variables their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.profile import LoadedProfile
    from runner.settings.profile import Profile


def tried_profile(loaded: LoadedProfile) -> Profile:
    """The profile of a session that starts now; where a variable has no value, its name stands in the text."""
    from datetime import UTC, datetime

    from runner.profile.filling import filled, filled_for_show, missing_values

    fill = filled_for_show if missing_values(loaded.profile) else filled
    return fill(loaded.profile, name=loaded.name, started=datetime.now(UTC))
