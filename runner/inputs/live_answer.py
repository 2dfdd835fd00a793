"""The last answer of a Live session, which is waited for once the input has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.errors import ProtocolError

if TYPE_CHECKING:
    from runner.session.session import Session


async def answered(session: Session, name: str, *, settle_s: float, timeout_s: float) -> None:
    """Wait until what was said is answered, or nothing more comes for too long, which counts as a loss.

    The endpoint says neither when it has heard all nor when it has answered: it has, when the last that spoke was the
    model, and nobody has spoken since for a while.

    Args:
        session: The session.
        name: What messages call the input.
        settle_s: How long nobody speaks after the answer, in seconds.
        timeout_s: How long nothing may come where there is no answer, in seconds.
    """
    since_s = anyio.current_time()
    while not session.is_over and session.state.kind == "live":
        if session.link is None or session.state.is_pending:
            await session.changes.next()
            since_s = anyio.current_time()
            continue
        left_s = since_s + (settle_s if _loss(session, name) is None else timeout_s) - anyio.current_time()
        if left_s <= 0:
            break
        with anyio.move_on_after(left_s):
            await session.changes.next()
    if not session.is_over and session.state.kind == "live" and (loss := _loss(session, name)):
        logs.logger().error("input_unanswered", input=name, error=loss.message)
        session.give_up(loss)


def _loss(session: Session, name: str) -> ProtocolError | None:
    """What is wrong if nothing more comes; None where the last that spoke was the model."""
    if not any(item.role == "user" for item in session.state.conversation.items):
        return ProtocolError(f"the endpoint has heard nobody in {name}")
    if session.state.live.last_voice != "assistant" or session.state.live.has_unsaid_result:
        return ProtocolError(f"what was said last in {name} was not answered")
    return None
