"""Opens the connections of one session, one after another, as often as its profile allows."""

from __future__ import annotations

from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError, SessionRefused, failed_attempt
from runner.protocol.configuration import Configuration
from runner.protocol.drift import Drift, differences
from runner.protocol.preview import from_preview, to_preview
from runner.protocol.session_update import session_update
from runner.protocol.state import SessionState
from runner.session.backoff import Backoff
from runner.session.connector import Connector
from runner.session.link import Link
from runner.session.live_replay import first_event
from runner.settings.endpoint import AzureEndpoint, LocalEndpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.session.pump import Dialect
    from runner.session.recorder import Recorder
    from runner.session.renewal import Renewal
    from runner.settings.profile import Profile

CONFIRMATION_S = 5.0
"""How long an endpoint may take to confirm a history replay, in seconds."""

_LOCAL_TIMEOUT_S = 10.0
_FAREWELL_S = 2.0


def drift_refused(drift: Sequence[Drift]) -> SessionRefused:
    """The end of a session whose profile takes no drift, and there is some."""
    keys = ", ".join(each.path for each in drift)
    msg = f"the endpoint's configuration is not what the profile asks for: {keys}"
    return SessionRefused(msg, hint='change the profile, or set `run.on_drift = "warn"`')


class Dialer:
    """Opens the next connection: makes the attempts, configures it, and replays the history on it.

    Args:
        profile: Where to, as whom, and how persistently.
        carriage: Where the session is that the connections are for.
        tasks: Where the connections live, a task each, until they are released.
        recorder: Keeps a record of all events.
        slots: Held by each attempt, None where sessions need not wait for each other.
        tools: Asked for `session.tools` when the first connection is configured; by default the profile's own.

    Attributes:
        backoff: Says how long to wait after a failure; all attempts and losses of the session count in it.
    """

    def __init__(
        self,
        profile: Profile,
        carriage: Carriage,
        tasks: anyio.abc.TaskGroup,
        recorder: Recorder | None = None,
        slots: anyio.Semaphore | None = None,
        tools: Callable[[], Awaitable[list[JsonObject]]] | None = None,
    ) -> None:
        self._profile = profile
        self._carriage = carriage
        self._tasks = tasks
        self._recorder = recorder
        self._connector = Connector(profile)
        self.backoff = Backoff(profile.run.reconnect)
        self._slots = slots or nullcontext()
        self._tools = tools
        self._epoch = 0
        self._drift: list[Drift] = []

    async def open(self, lost: Callable[[Link], None]) -> Link:
        """Open a connection that is configured and knows of the conversation, with as many attempts as are allowed.

        Args:
            lost: Called with the connection when it has ended; it must not wait.

        Raises:
            RunnerError: What stands in the way, once no attempt is left.
        """
        while True:
            self._epoch += 1
            started_s = anyio.current_time()
            renewal = self._carriage.renewal if self._carriage.renewal and self._carriage.renewal.moves else None
            try:
                async with self._slots:
                    link: Link = await self._tasks.start(self._hold, self._epoch, lost, renewal)
            except RunnerError as error:
                if renewal:
                    # Whoever asks for it learns of it, and may ask again.
                    raise
                delay_s = self.backoff.delay_s(error)
                self._carriage.fail(self.backoff.attempt, error)
                if self._recorder:
                    self._recorder.note({"type": "connection.failed", **error.facts}, epoch=self._epoch)
                if delay_s is None:
                    if self.backoff.attempt:
                        logs.logger().error("connecting_given_up", attempts=self.backoff.attempt, **error.facts)
                    raise
                logs.logger().warning(
                    "connection_failed",
                    epoch=self._epoch,
                    attempt=self.backoff.attempt,
                    max_attempts=self._profile.run.reconnect.max_attempts,
                    retry_in_s=round(delay_s, 3),
                    **error.facts,
                )
                await anyio.sleep(delay_s)
            else:
                link.took_s = took_s = anyio.current_time() - started_s
                logs.logger().debug(
                    "connection_opened",
                    epoch=link.epoch,
                    endpoint_session_id=link.state.session_id,
                    took_s=round(took_s, 3),
                    items=link.replayed_items,
                )
                return link

    def adopt(self, renewal: Renewal) -> None:
        """Open connections by another profile from now on."""
        self._profile, self._connector = renewal.profile, renewal.connector
        self.backoff.settings = renewal.profile.run.reconnect

    async def _hold(
        self,
        epoch: int,
        lost: Callable[[Link], None],
        renewal: Renewal | None,
        *,
        task_status: anyio.abc.TaskStatus[Link],
    ) -> None:
        """One connection, from its opening to its close, in a task of its own."""
        profile = renewal.profile if renewal else self._profile
        connector = renewal.connector if renewal else self._connector
        carriage, state = self._carriage, self._state(profile)
        if renewal:
            # What was asked for before does not hold on this one.
            state.configuration = Configuration()
        logs.bind(epoch=epoch, **({"session_id": carriage.id} if carriage.id else {}))
        async with AsyncExitStack() as stack:
            try:
                websocket = await connector.open(stack)
            except Exception as raised:  # noqa: BLE001  # a reader's bug, later, is none of the attempt's
                raise failed_attempt(raised) from None
            dialects = _dialects(profile)
            link = Link(websocket, state, carriage.changes, lost=lost, epoch=epoch, recorder=self._recorder, **dialects)
            link.renewal = renewal
            carriage.introduce(link)
            link.note({"type": "connection.opened", "endpoint": profile.endpoint.kind})
            try:
                await link.pump.listen()
                await self._prepare(link, profile)
                task_status.started(link)
                await link.released()
                # No other connection repeats what a translation still has to say.
                await link.conclude()
            finally:
                with anyio.move_on_after(_FAREWELL_S, shield=True):
                    await link.close()

    async def _prepare(self, link: Link, profile: Profile) -> None:
        """Configure a connection and replay the history on it."""
        endpoint, renewed = profile.endpoint, link.renewal.asked if link.renewal else None
        timeout_s = _LOCAL_TIMEOUT_S if isinstance(endpoint, LocalEndpoint) else endpoint.connect_timeout_s
        asked = renewed
        if asked is None:
            asked = self._carriage.state.configuration.asked or await self._first_asked()
        first = session_update(profile)["session"].get("input", ()) if link.state.kind == "live" else ()
        await link.configure(first_event(link.history, asked, profile.run.history, first), timeout_s=timeout_s)
        self._compare(asked, link, profile.run.on_drift)
        if self._carriage.id:
            wanted = self._carriage.state.configuration.wanted if renewed is None else renewed
            await link.prime(wanted, profile.run.history, timeout_s=CONFIRMATION_S)
        if link.pump.failure:
            raise link.pump.failure

    async def _first_asked(self) -> JsonObject:
        asked: JsonObject = session_update(self._profile)["session"]
        tools = await self._tools() if self._tools else []
        return {**asked, "tools": tools} if tools else asked

    def _compare(self, asked: JsonObject, link: Link, on_drift: Literal["ignore", "warn", "fail"]) -> None:
        """Report drift of the endpoint's configuration, once, or raise `SessionRefused` where the profile says so."""
        asked = {"type": link.state.kind, **asked}
        drift = differences(asked, link.state.configuration.reported) if on_drift != "ignore" else []
        if drift and drift != self._drift:
            for each in drift:
                logs.logger().warning("configuration_drifted", drift=str(each))
            if on_drift == "fail":
                raise drift_refused(drift)
        self._drift = drift

    def _state(self, profile: Profile) -> SessionState:
        return SessionState(
            self._carriage.state,
            kind=profile.session.type,
            max_response_retries=profile.run.max_response_retries,
            retries_lost=profile.run.reconnect.response_in_flight == "retry",
            clock=anyio.current_time,
        )


def _dialects(profile: Profile) -> dict[str, Dialect]:
    endpoint = profile.endpoint
    preview = isinstance(endpoint, AzureEndpoint) and endpoint.speaks_preview
    return {"incoming": from_preview, "outgoing": to_preview} if preview else {}
