"""The reload of the profiles of a process, while its sessions run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from runner import logs
from runner.errors import IllegalEvent, ProfileError, RunnerError
from runner.profile.filling import filled
from runner.profile.keys import dotted
from runner.profile.takeover import taken_over
from runner.runs.reload_plan import changed_keys, reload_plan, restart_keys
from runner.session.confirmation import send_confirmed
from runner.session.reconfiguration import renew

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runner.profile.keys import Key
    from runner.profile.load import LoadedProfile
    from runner.runs.session_run import SessionRun
    from runner.session.session_tools import ToolRenewal
    from runner.settings.profile import Profile

    Reread = Callable[[], Sequence[LoadedProfile]]
    """Reads the profiles of the command line again, flags and environment included; raises what is wrong with them."""


class Reload:
    """Has running sessions go by their profiles as these are by now: all of it, or none where it cannot be.

    Args:
        runs: The runs of the process.
        places: For each of them, the place of its profile among those that are read: two may have one name.
        reread: Reads the profiles again.
        log_by: Called with the first profile, by which the process logs.
    """

    def __init__(
        self, runs: Sequence[SessionRun], places: Sequence[int], reread: Reread, log_by: Callable[[Profile], None]
    ) -> None:
        self._runs = runs
        self._places = places
        self._reread = reread
        self._log_by = log_by

    async def carry_out(self) -> dict[str, Any]:
        """Reload; returns what has changed, and logs what came of it.

        Raises:
            RunnerError: A profile is wrong, needs a restart, or is refused; the sessions concerned go on as before.
        """
        try:
            return await self._carried_out()
        except anyio.get_cancelled_exc_class():
            # The process ends.
            logs.logger().warning("reload_given_up")
            raise
        except RunnerError as error:
            logs.logger().error("reload_failed", **error.facts, **({"hint": error.hint} if error.hint else {}))
            raise

    async def _carried_out(self) -> dict[str, Any]:
        if opening := next((run for run in self._runs if run.phase == "opening"), None):
            msg = f"session {opening.number} of {opening.context['profile']} is still being opened"
            raise IllegalEvent(msg, hint="reload when it is open")
        loaded = await anyio.to_thread.run_sync(self._reread)
        placed = zip(self._runs, self._places, strict=True)
        changes = [_SessionReload(run, loaded[place]) for run, place in placed if run.phase == "live"]
        if not changes:
            msg = "no session is open that could be reloaded"
            raise IllegalEvent(msg)
        if restart := sorted({key for each in changes for key in restart_keys(each.keys)}):
            msg = f"these keys take a restart: {', '.join(restart)}"
            raise ProfileError(msg, hint="restart the process, or put them back; nothing else was changed")
        try:
            await _all(changes, _SessionReload.prepare)
            await _all(changes, _SessionReload.apply)
        finally:
            for each in changes:
                each.close()
        self._log_by(loaded[0].profile)
        told: dict[str, Any] = {
            "changed": sorted({dotted(key) for each in changes for key in each.keys}),
            "dropped": sorted({key for each in changes for key in each.dropped}),
            "moved": sum(each.moved for each in changes),
        }
        logs.logger().info("reloaded", **{key: value for key, value in told.items() if value})
        return told


class _SessionReload:
    """What a reload changes in one session.

    Args:
        run: Whose session it is.
        loaded: The profile as it is by now.
    """

    def __init__(self, run: SessionRun, loaded: LoadedProfile) -> None:
        assert run.session is not None  # noqa: S101  # it is live
        self.run = run
        self.dropped: Sequence[str] = ()
        self.moved = False
        self._session = run.session
        self._profile = filled(loaded.profile, name=loaded.name, started=run.started)
        self._fallbacks = loaded.fallbacks
        self._tools: ToolRenewal | None = None
        self.keys: list[Key] = changed_keys(run.profile, self._profile)

    async def prepare(self) -> None:
        """Open what has to be open before anything changes; raises why it cannot be."""
        if self._session.tools:
            self._tools = await self._session.tools.prepared(self._profile)

    async def apply(self) -> None:
        """Have the session go by its profile; raises why it does not."""
        session, profile = self._session, self._profile
        tools = self._tools.definitions if self._tools else None
        before, after = self._carrying()
        plan = reload_plan(before, after, session.state.configuration.wanted, tools)
        if plan.moves:
            await renew(session.carriage, profile, plan.asked, self._fallbacks)
        else:
            if plan.update:
                kind = {} if session.state.kind in {"translation", "live"} else {"type": session.state.kind}
                await send_confirmed(session, {"type": "session.update", "session": {**kind, **plan.update}})
                session.state.configuration.asked = plan.asked
            await renew(session.carriage, profile, fallbacks=self._fallbacks)
        if session.tools:
            session.tools.adopt(profile, self._tools)
        self.run.adopt(profile)
        session.changes.notify()
        self.dropped, self.moved = plan.dropped, plan.moves

    def _carrying(self) -> tuple[Profile, Profile]:
        """What carries the session, and what would carry it by the profiles as they are now."""
        fallback = self.run.whereabouts.fallback
        if fallback is None:
            return self.run.profile, self._profile
        name = str(self.run.context["profile"])
        other = next((each.profile for each in self._fallbacks if each.name == fallback.name), None)
        return fallback.profile, taken_over(self._profile, other, name=name).profile if other else self._profile

    def close(self) -> None:
        """Close what was opened, unless the session has it by now."""
        if self._tools:
            self._tools.sources.give_up()


async def _all(changes: Sequence[_SessionReload], step: Callable[[_SessionReload], Awaitable[None]]) -> None:
    """Take a step of all changes beside each other; each failure is its own session's, and the first is raised."""
    failures: list[RunnerError] = []

    async def take(change: _SessionReload) -> None:
        with logs.bound(**change.run.context):
            try:
                await step(change)
            except RunnerError as error:
                logs.logger().error("session_not_reloaded", **error.facts)
                failures.append(error)
            except Exception:  # noqa: BLE001  # whatever it is, it is ours, and no session shall suffer from it
                logs.logger().exception("internal_error")
                failures.append(RunnerError("a bug in rt-run, which the log traces"))

    async with anyio.create_task_group() as tasks:
        for each in changes:
            tasks.start_soon(take, each)
    if failures:
        raise failures[0]
