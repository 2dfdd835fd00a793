"""The drain of a session within its grace period: answers finish, or are cancelled in time for a clean close."""

from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.session.session import Session

if TYPE_CHECKING:
    from runner.outputs.playback import Playback

_FAREWELL_SHARE = 0.25
_FAREWELL_MOST_S = 2.0


async def drain(session: Session, *, reason: str, until_s: float, playback: "Playback | None" = None) -> None:
    """Let the responses in flight finish and be heard, and close the session; what takes longer is cancelled in time.

    Args:
        session: The session, which takes no more questions.
        reason: Why it ends.
        until_s: When the grace period ends, on the event loop's clock, in seconds.
        playback: The answers that are heard, None where none are.

    Raises:
        RunnerError: the session has failed, before or meanwhile.
    """
    if session.failure is not None:
        raise session.failure
    farewell_s = min(_FAREWELL_MOST_S, max(0.0, until_s - anyio.current_time()) * _FAREWELL_SHARE)
    cancel_at_s = until_s - farewell_s
    if not await _finished(session, by_s=cancel_at_s) and session.state.busy:
        logs.logger().warning("response_cancelled", reason=reason)
        await session.cancel()
        await _finished(session, by_s=cancel_at_s + farewell_s / 2)
    calls = sum(len(each.calls) for each in session.state.rounds.open)
    if left := session.state.pending.left | ({"calls": calls} if calls else {}):
        logs.logger().warning("left_pending", reason=reason, **left)
    await session.conclude(by_s=cancel_at_s + farewell_s / 2)
    if playback:
        with anyio.CancelScope(deadline=cancel_at_s):
            await playback.finished()
    await session.aclose()


async def _finished(session: Session, *, by_s: float) -> bool:
    with anyio.CancelScope(deadline=by_s):
        await session.wait_idle()
    return not session.state.is_pending
