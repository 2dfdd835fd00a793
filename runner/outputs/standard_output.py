"""Standard output, which the sessions of a process share."""

from collections import Counter
from collections.abc import Sequence
from io import FileIO

import anyio

from runner.errors import RunnerError
from runner.outputs.session_output import Fail
from runner.standard_streams import STDOUT, kept, turns


class StandardOutput:
    """Standard output, on which the sessions of a process take turns, so that none tears a line of another.

    Args:
        is_shared: Whether several sessions write to it; answers are then shown when they are whole.
        profiles: The names of the profiles of these sessions, in the order of their numbers.
        shows_words: Whether it is a terminal that shows the words of both sides of a spoken session.

    Attributes:
        shows_words: As above.
        threads: Lets one thread write at a time, so that a slow reader keeps no other output waiting for a thread.
        turns: The turns of the sessions, and of the log where standard error is the same place; a thread that was
            abandoned may still have its turn.
    """

    def __init__(self, *, is_shared: bool, profiles: Sequence[str] = (), shows_words: bool = False) -> None:
        self.is_shared = is_shared
        self.shows_words = shows_words
        self._sessions_of = Counter(profiles)
        self.threads = anyio.CapacityLimiter(1)
        self.turns = turns(STDOUT)
        self._fails: list[Fail] = []

    def open(self) -> FileIO:
        """The descriptor as a file, which stays open when the file is closed."""
        return FileIO(kept(STDOUT), "wb", closefd=False)

    def title(self, profile: str, session: str) -> str:
        """What tells a session apart from the others: its profile, and its number where the profile has several."""
        return f"{profile}-{session}" if self._sessions_of[profile] > 1 else profile

    def on_failure(self, fail: Fail) -> None:
        """Call `fail` when nothing can be written any more."""
        self._fails.append(fail)

    def fail(self, error: RunnerError) -> None:
        """Report to every session, once, that nothing can be written any more."""
        fails, self._fails = self._fails, []
        for fail in fails:
            fail(error)
