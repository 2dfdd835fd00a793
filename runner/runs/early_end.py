"""What ends a run before its input does: a limit that is spent, or its first answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio.abc

    from runner.errors import RunnerError
    from runner.outputs.playback import Playback
    from runner.runs.budget import Budget
    from runner.runs.first_answer import FirstAnswer
    from runner.session.session import Session
    from runner.session.update import Update
    from runner.settings.limits import Limits
    from runner.settings.run_settings import RunSettings


class EarlyEnd:
    """Ends a run as `[run]` says, whatever its input still has.

    Args:
        settings: What the profile says of runs.
        stop: Ends the run for a reason, and an error where that was it; it must not wait.
        answered: Called when the first answer is complete, where the run ends with it; it must not wait.
    """

    def __init__(
        self,
        settings: RunSettings,
        *,
        stop: Callable[[str, RunnerError | None], None],
        answered: Callable[[], None],
    ) -> None:
        self._stop = stop
        self._budget: Budget | None = None
        self._first: FirstAnswer | None = None
        if settings.until == "response-done":
            from runner.runs.first_answer import FirstAnswer

            self._first = FirstAnswer(answered)

    @property
    def is_answered(self) -> bool:
        """Whether the answer is there with which the run ends."""
        return self._first is not None and self._first.is_there

    def begin(self, session: Session) -> None:
        """Learn that the session is open, which may go on with questions of another process."""
        if self._first and session.resumption:
            self._first.ignore(session.resumption.asked_again)

    def watches(self, limits: Limits) -> bool:
        """Whether there is anything to watch while the session is open."""
        return self._first is not None or limits.has_budget

    def watch(self, tasks: anyio.abc.TaskGroup, session: Session, limits: Limits, playback: Playback | None) -> None:
        """Watch the session in these tasks, from now on; an answer that is played has to be heard, too."""
        if self._first:
            tasks.start_soon(self._first.heard, playback, lambda reason: self._stop(reason, None))
        self.limit(tasks, session, limits)

    def limit(
        self, tasks: anyio.abc.TaskGroup, session: Session, limits: Limits, *, since_s: float | None = None
    ) -> None:
        """Have these limits hold.

        Args:
            tasks: Where time is watched, if nothing was limited before.
            session: The session.
            limits: What it may spend.
            since_s: When it began, where nothing was limited before, on the event loop's clock, in seconds; None where
                it begins now.
        """
        if self._budget is not None:
            self._budget.renew(limits)
        elif limits.has_budget:
            from runner.runs.budget import Budget

            self._budget = Budget(limits, session.carriage, spent=self._stop, since_s=since_s)
            tasks.start_soon(self._budget.watch)

    def leave(self) -> None:
        """Let go of the run, which has ended."""
        self._stop = _nothing

    def take(self, update: Update) -> None:
        """Look at an update: a reader of the session."""
        if self._budget is not None:
            self._budget.take(update)
        if self._first is not None:
            self._first.take(update)


def _nothing(_reason: str, _error: RunnerError | None) -> None:
    """End what has ended."""
