"""How far the next connection of a session is."""

from dataclasses import dataclass

from runner.errors import RunnerError
from runner.session.link import Link


@dataclass(frozen=True)
class Wanted:
    """The next connection is to be opened after a wait."""

    delay_s: float


class Opening:
    """The next connection is being opened."""


class Forgone:
    """No connection could be had to follow the present one, which serves to its end."""


Successor = None | Wanted | Opening | Link | RunnerError | Forgone
"""How far the next connection is: not sought, wanted, being opened, ready, not to be had, or done without."""
