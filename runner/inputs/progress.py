"""How much of a recording was sent, for the live line of a terminal."""

from __future__ import annotations

from runner.inputs.meter import bar

_CELLS = 20


class Progress:
    """Counts what was sent.

    Args:
        name: What the recording is called.
        duration_s: How long the recording lasts, in seconds; 0 where it does not say.
    """

    def __init__(self, name: str, duration_s: float) -> None:
        self._name = name
        self._duration_s = duration_s
        self._sent_s = 0.0

    def advance(self, duration_s: float) -> None:
        """Another `duration_s` seconds were sent."""
        self._sent_s += duration_s

    @property
    def text(self) -> str:
        """How much was sent, as far as it is known of how much."""
        if not self._duration_s:
            return f"{self._name} {self._sent_s:.1f} s"
        # A file may say that it is shorter than it is.
        sent_s = min(self._sent_s, self._duration_s)
        return f"{self._name} {bar(sent_s / self._duration_s, _CELLS)} {sent_s:.1f}/{self._duration_s:.1f} s"
