"""What is said of an endpoint whose configuration is not what was asked for, and the end where that is not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from runner import logs
from runner.errors import SessionRefused
from runner.protocol.drift import Drift, differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.session.link import Link


def drift_refused(drift: Sequence[Drift]) -> SessionRefused:
    """The end of a session whose profile takes no drift, and there is some."""
    keys = ", ".join(each.path for each in drift)
    msg = f"the endpoint's configuration is not what the profile asks for: {keys}"
    return SessionRefused(msg, hint='change the profile, or set `run.on_drift = "warn"`')


class DriftReport:
    """Reports the drift of one session, on each of its connections where it is not that of the one before."""

    def __init__(self) -> None:
        self._drift: list[Drift] = []

    def compare(self, asked: JsonObject, link: Link, on_drift: Literal["ignore", "warn", "fail"]) -> None:
        """Report drift of the endpoint's configuration, once, or raise `SessionRefused` where the profile says so."""
        asked = {"type": link.state.kind, **asked}
        drift = differences(asked, link.state.configuration.reported) if on_drift != "ignore" else []
        if drift and drift != self._drift:
            for each in drift:
                logs.logger().warning("configuration_drifted", drift=str(each))
            if on_drift == "fail":
                raise drift_refused(drift)
        self._drift = drift
