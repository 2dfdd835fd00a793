"""The live line at the end of a terminal: what the session does at this moment."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import SessionInput
    from runner.session.session import Session
    from runner.terminal.screen import Screen

_WAITING = ("reconnecting", "thinking", "answering")
"""What takes a time that is worth being shown."""
_TICK_S = 0.25
"""How often that time is looked at, in seconds."""


class LiveLine:
    """Shows what a session does, in one word, and what its input says beside it.

    Args:
        screen: The terminal.
        session: The session.
        source: Its input.
        playback: The answers that are being played, None where none are.
    """

    def __init__(self, screen: Screen, session: Session, source: SessionInput, playback: PlayingAnswers | None) -> None:
        self._screen = screen
        self._session = session
        self._source = source
        self._playback = playback
        self._state = ""
        self._since_s = monotonic()

    async def run(self) -> None:
        """Keep the line up to date until cancelled."""
        shown: str | None = None
        while True:
            state = self._now()
            if state != self._state:
                self._state, self._since_s = state, monotonic()
            if (line := self._source.live_line(self._described)) != shown:
                shown = line
                self._screen.show_live(line)
            with anyio.move_on_after(
                min(self._source.live_interval_s, _TICK_S if state else self._source.live_interval_s)
            ):
                await self._session.changes.next()

    @property
    def _described(self) -> str:
        passed_s = int(monotonic() - self._since_s)
        if self._state not in _WAITING:
            return self._state
        return f"{self._state}..." + (f" {passed_s} s" if passed_s else "")

    def _now(self) -> str:
        """What the session does, nothing where it waits for its user."""
        state = self._session.state
        if self._session.link is None:
            return "reconnecting"
        if state.is_hearing_speech:
            return "hearing"
        if self._playback is not None:
            return "speaking" if self._playback.is_playing else "thinking" if state.busy else ""
        return "answering" if state.busy else ""
