"""The end of a session whose endpoint has something to finish first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ProtocolError
from runner.session.recorder import closed_note

if TYPE_CHECKING:
    from runner.session.carriage import Carriage


async def conclude(carriage: Carriage, by_s: float) -> None:
    """Have the endpoint finish a translation or a Live session before it is closed; other sessions finish nothing.

    Args:
        carriage: Where the session is.
        by_s: When to do without the rest, on the event loop's clock, in seconds.
    """
    if (link := carriage.link) is None or carriage.state.kind not in {"translation", "live"}:
        return
    carriage.leave()
    await link.conclude(by_s)
    if link.state.closing.is_concluded:
        return
    if lost := link.pump.failure:
        link.note(closed_note(lost))
        carriage.end(lost)
    elif carriage.state.kind == "translation":
        carriage.give_up(ProtocolError("the endpoint did not finish the translation"))
