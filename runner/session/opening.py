"""A profile → a live session that is kept alive; the Python API's way in, and the command's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from runner.session import effect_log
from runner.session.keeper import Keeper
from runner.session.session import MAX_EVENTS_BYTES, Session

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile
    from runner.session.pump import Reader
    from runner.session.recorder import Recorder
    from runner.settings.profile import Profile

_FAREWELL_S = 2.0


@asynccontextmanager
async def open_session(
    profile: Profile | LoadedProfile,
    *,
    readers: Sequence[Reader] = (),
    max_events_bytes: int = MAX_EVENTS_BYTES,
    recorder: Recorder | None = None,
    slots: anyio.Semaphore | None = None,
) -> AsyncIterator[Session]:
    """Open the session that a profile describes; it is configured when the body starts and closed when it ends.

    It outlives its connections, as the profile's `[run.reconnect]`, `[run.rollover]` and `[run.history]` say.

    Args:
        profile: A validated profile, such as `load_profile` returns.
        readers: Called with each update by the pump; they must not wait.
        max_events_bytes: How far `async for event in session` may fall behind before events are lost, and that is told;
            0 keeps nothing for it.
        recorder: Keeps a record of all that is sent and received.
        slots: Held by each attempt to connect, where many sessions must not do so at once.

    Raises:
        RunnerError: the session cannot be opened; which branch of the tree says why.
    """
    profile = profile if not hasattr(profile, "profile") else profile.profile
    session = Session(
        readers=readers,
        max_events_bytes=max_events_bytes,
        max_audio_age_s=profile.run.reconnect.max_audio_age_s,
    )
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        keeper = Keeper(profile, session, tasks, recorder, slots)
        try:
            await keeper.open()
            effect_log.bind(session_id=session.id)
            tasks.start_soon(keeper.run)
            yield session
            await session.aclose()
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
            failure = error
        finally:
            effect_log.unbind("session_id")
            with anyio.move_on_after(_FAREWELL_S, shield=True):
                await session.aclose()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
