"""The end of a session whose endpoint has something to finish first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ProtocolError
from runner.session.recorder import closed_note

if TYPE_CHECKING:
    from runner.session.carriage import Carriage


async def conclude(carriage: Carriage, by_s: float) -> None:
    """Have the endpoint finish a translation before its session is closed; in any other session nothing happens.

    Args:
        carriage: Where the session is.
        by_s: When to do without the rest, on the event loop's clock, in seconds.
    """
    if (link := carriage.link) is None or carriage.state.kind != "translation":
        return
    carriage.leave()
    await link.conclude(by_s)
    if link.state.closing.is_concluded:
        return
    if lost := link.pump.failure:
        link.note(closed_note(lost))
        carriage.end(lost)
    else:
        carriage.give_up(ProtocolError("the endpoint did not finish the translation"))
