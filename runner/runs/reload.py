"""The reload of the profiles of a process, while its sessions run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from runner import logs
from runner.errors import IllegalEvent, ProfileError, RunnerError
from runner.profile.filling import filled
from runner.runs.reload_plan import ReloadPlan, reload_plan
from runner.session.confirmation import send_confirmed
from runner.session.reconfiguration import renew

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.profile.load import LoadedProfile
    from runner.runs.session_run import SessionRun
    from runner.session.session import Session
    from runner.settings.profile import Profile

    Reread = Callable[[], Sequence[LoadedProfile]]
    """Reads the profiles of the command line again, flags and environment included; raises what is wrong with them."""


class Reload:
    """Has running sessions go by their profiles as these are by now: all of it, or none where it cannot be.

    Args:
        runs: The runs of the process.
        reread: Reads the profiles again.
        log_by: Called with the first profile, by which the process logs.
    """

    def __init__(self, runs: Sequence[SessionRun], reread: Reread, log_by: Callable[[Profile], None]) -> None:
        self._runs = runs
        self._reread = reread
        self._log_by = log_by
        self._turn = anyio.Lock()

    async def carry_out(self) -> dict[str, Any]:
        """Reload; returns what has changed, and logs what came of it.

        Raises:
            RunnerError: A profile is wrong, needs a restart, or is refused; the sessions concerned go on as before.
        """
        async with self._turn:
            try:
                return await self._carried_out()
            except RunnerError as error:
                logs.logger().error("reload_failed", **error.facts, **({"hint": error.hint} if error.hint else {}))
                raise

    async def _carried_out(self) -> dict[str, Any]:
        if opening := next((run for run in self._runs if run.phase == "opening"), None):
            msg = f"session {opening.number} of {opening.context['profile']} is still being opened"
            raise IllegalEvent(msg, hint="reload when it is open")
        loaded = {each.name: each for each in await anyio.to_thread.run_sync(self._reread)}
        plans = [(run, *_planned(run, loaded[run.context["profile"]])) for run in self._runs if run.phase == "live"]
        if not plans:
            msg = "no session is open that could be reloaded"
            raise IllegalEvent(msg)
        if restart := sorted({key for _, _, plan in plans for key in plan.restart}):
            msg = f"these keys take a restart: {', '.join(restart)}"
            raise ProfileError(msg, hint="restart the process, or put them back; nothing else was changed")
        failures: list[RunnerError] = []
        async with anyio.create_task_group() as tasks:
            for run, profile, plan in plans:
                tasks.start_soon(_apply, run, profile, plan, failures)
        if failures:
            raise failures[0]
        self._log_by(next(iter(loaded.values())).profile)
        told: dict[str, Any] = {
            "changed": sorted({key for _, _, plan in plans for key in plan.changed}),
            "dropped": sorted({key for _, _, plan in plans for key in plan.dropped}),
            "moved": sum(plan.moves for _, _, plan in plans),
        }
        logs.logger().info("reloaded", **{key: value for key, value in told.items() if value})
        return told


def _planned(run: SessionRun, loaded: LoadedProfile) -> tuple[Profile, ReloadPlan]:
    session = _session(run)
    profile = filled(loaded.profile, name=loaded.name, started=run.started)
    tools = session.tools.definitions(profile) if session.tools else []
    return profile, reload_plan(run.profile, profile, session.state.configuration.wanted, tools)


async def _apply(run: SessionRun, profile: Profile, plan: ReloadPlan, failures: list[RunnerError]) -> None:
    """Have one session go by its profile; a failure concerns only this session."""
    session = _session(run)
    with logs.bound(**run.context):
        try:
            if plan.moves:
                await renew(session.carriage, profile, plan.asked)
            else:
                if plan.update:
                    kind = {} if session.state.kind == "translation" else {"type": session.state.kind}
                    await send_confirmed(session, {"type": "session.update", "session": {**kind, **plan.update}})
                    session.state.configuration.asked = plan.asked
                await renew(session.carriage, profile)
        except RunnerError as error:
            logs.logger().error("session_not_reloaded", **error.facts)
            failures.append(error)
        else:
            if session.tools:
                session.tools.adopt(profile)
            run.adopt(profile)


def _session(run: SessionRun) -> Session:
    assert run.session is not None  # noqa: S101  # it is live
    return run.session
