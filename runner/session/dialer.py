"""Opens the connections of one session, one after another, as often as its profile allows."""

from __future__ import annotations

import math
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from runner import logs
from runner.connect.loop_clock import loop_clock
from runner.errors import EndpointUnreachable, RunnerError, failed_attempt
from runner.protocol.configuration import Configuration
from runner.protocol.preview import from_preview, to_preview
from runner.protocol.rate_limits import RateLimits
from runner.protocol.state import SessionState
from runner.protocol.tool_place import with_tools
from runner.session.drift_report import DriftReport
from runner.session.forks import Forks
from runner.session.link import Link
from runner.session.live_replay import first_event
from runner.session.rebasing import rebased
from runner.settings.endpoint import AzureEndpoint, LocalEndpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.session.provider import Provider
    from runner.session.providers import Providers
    from runner.session.pump import Dialect
    from runner.session.recorder import Recorder
    from runner.session.renewal import Renewal
    from runner.settings.profile import Profile

CONFIRMATION_S = 5.0
"""How long an endpoint may take to confirm a history replay, in seconds."""

_LOCAL_TIMEOUT_S = 10.0
_FAREWELL_S = 2.0


class Dialer:
    """Opens the next connection: makes the attempts, configures it, and replays the history on it.

    Args:
        providers: Where to, as whom, and how persistently.
        carriage: Where the session is that the connections are for.
        tasks: Where the connections live, a task each, until they are released.
        recorder: Keeps a record of all events.
        slots: Held by each attempt, None where sessions need not wait for each other.
        tools: Asked for `session.tools` when the first connection is configured; by default the profile's own.

    Attributes:
        providers: As above.
        forks: What a stored Live session goes on by.
    """

    def __init__(
        self,
        providers: Providers,
        carriage: Carriage,
        tasks: anyio.abc.TaskGroup,
        recorder: Recorder | None = None,
        slots: anyio.Semaphore | None = None,
        tools: Callable[[], Awaitable[list[JsonObject]]] | None = None,
    ) -> None:
        self.providers = providers
        self._carriage = carriage
        self._tasks = tasks
        self._recorder = recorder
        self._slots = slots or nullcontext()
        self._tools = tools
        self.forks = Forks(carriage)
        self._epoch = 0
        self._drift = DriftReport()
        self._next: tuple[Renewal, Providers] | None = None
        """What can carry the session by the profile that it is to go by, while it does not yet."""

    async def open(self, lost: Callable[[Link], None]) -> Link:
        """Open a connection that is configured and knows of the conversation, with as many attempts as are allowed.

        Args:
            lost: Called with the connection when it has ended; it must not wait.

        Raises:
            RunnerError: What stands in the way, once no attempt is left.
        """
        provider, since_s = self.providers.current, anyio.current_time()
        while True:
            if provider is not self.providers.current:
                provider, since_s = self.providers.current, anyio.current_time()
            renewal = self._carriage.renewal if self._carriage.renewal and self._carriage.renewal.moves else None
            patient_until_s = since_s + self.providers.settings.fallback_after_s
            if renewal or self.providers.other_than(provider) is None:
                patient_until_s = math.inf
            try:
                return await self._attempt(lost, renewal, provider, patient_until_s)
            except RunnerError as error:
                if self.forks.failed(error, provider):
                    continue
                if renewal or self._moves(provider):
                    # Whoever asks for it learns of it, and may ask again.
                    raise
                if provider is self.providers.current:
                    await self._wait(provider, error, patient_until_s)

    async def _wait(self, provider: Provider, error: RunnerError, until_s: float) -> None:
        """Wait for the next attempt as long as the provider's failures ask for, or have another one take over.

        Args:
            provider: By what the last attempt was made.
            error: Why it has failed.
            until_s: How long nobody else is tried in its place, on the event loop's clock, in seconds.

        Raises:
            RunnerError: No attempt is left.
        """
        backoff = provider.backoff
        delay_s = backoff.delay_s(error)
        self._carriage.fail(backoff.attempt, error)
        due_s = math.inf if delay_s is None else anyio.current_time() + delay_s
        if due_s >= until_s and self.providers.fall_back(error, anyhow=delay_s is None):
            return
        if delay_s is None:
            if backoff.attempt:
                logs.logger().error("connecting_given_up", attempts=backoff.attempt, **error.facts)
            raise error
        logs.logger().warning(
            "connection_failed",
            epoch=self._epoch,
            attempt=backoff.attempt,
            max_attempts=self.providers.settings.reconnect.max_attempts,
            retry_in_s=round(delay_s, 3),
            **self._named(provider),
            **error.facts,
        )
        await anyio.sleep(delay_s)

    async def _attempt(
        self, lost: Callable[[Link], None], renewal: Renewal | None, provider: Provider, until_s: float
    ) -> Link:
        """Try once to open a connection.

        Args:
            lost: Called with the connection when it has ended.
            renewal: What it is opened for, None where it only follows another one.
            provider: By what.
            until_s: How long somebody else is not tried in its place, on the event loop's clock, in seconds.
        """
        self._epoch += 1
        try:
            if until_s == math.inf:
                return await self._opened(lost, renewal, provider)
            with anyio.CancelScope(deadline=until_s):
                return await self._opened(lost, renewal, provider)
            msg = f"no connection could be had within {self.providers.settings.fallback_after_s:g} s"
            raise EndpointUnreachable(msg)
        except RunnerError as error:
            if self._recorder and not renewal:
                note = {"type": "connection.failed", **self._named(provider), **error.facts}
                self._recorder.note(note, epoch=self._epoch)
            raise

    async def _opened(self, lost: Callable[[Link], None], renewal: Renewal | None, provider: Provider) -> Link:
        forked_id = await self.forks.source(provider)
        started_s = anyio.current_time()
        async with self._slots:
            link: Link = await self._tasks.start(self._hold, self._epoch, lost, renewal, provider, forked_id)
        link.took_s = took_s = anyio.current_time() - started_s
        facts = {"endpoint_session_id": link.state.session_id, "took_s": round(took_s, 3), "items": link.replayed_items}
        logs.logger().debug("connection_opened", **self.told(link), **facts)
        return link

    def adopt(self, renewal: Renewal) -> None:
        """Open connections by another profile from now on."""
        self.providers = self._renewed(renewal)
        self._next = None

    def wanted(self, link: Link) -> JsonObject:
        """What is asked for by now of a connection that is to take over."""
        if link.renewal and link.renewal.asked is not None:
            return link.renewal.asked
        return self._rebased(self._carriage.state.configuration.wanted, link.provider)

    def _renewed(self, renewal: Renewal) -> Providers:
        if self._next is None or self._next[0] is not renewal:
            self._next = renewal, self.providers.renewed(renewal.profile, renewal.fallbacks)
        return self._next[1]

    def _moves(self, provider: Provider) -> bool:
        """Whether a connection by this provider would replace one by another, which serves."""
        return self._carriage.link is not None and self._carriage.link.provider is not provider

    def told(self, link: Link) -> dict[str, Any]:
        """The connection as keys of a log line, with its provider where there are several."""
        return {"epoch": link.epoch, **self._named(link.provider)}

    def _named(self, provider: Provider | None) -> dict[str, str]:
        return {"provider": provider.name} if provider and self.providers.are_several else {}

    async def _hold(
        self,
        epoch: int,
        lost: Callable[[Link], None],
        renewal: Renewal | None,
        provider: Provider,
        forked_id: str,
        *,
        task_status: anyio.abc.TaskStatus[Link],
    ) -> None:
        """One connection, from its opening to its close, in a task of its own."""
        provider = self._renewed(renewal).current if renewal else provider
        carriage, profile = self._carriage, provider.profile
        state = self._state(provider)
        if renewal or provider is not carriage.provider:
            # What was asked for before does not hold on this one.
            state.configuration = Configuration()
        logs.bind(epoch=epoch, **({"session_id": carriage.id} if carriage.id else {}))
        async with AsyncExitStack() as stack:
            try:
                websocket = await provider.connector.open(stack, forked_id)
            except Exception as raised:  # noqa: BLE001  # a reader's bug, later, is none of the attempt's
                raise failed_attempt(raised) from None
            dialects = _dialects(profile)
            link = Link(websocket, state, carriage.changes, lost=lost, epoch=epoch, recorder=self._recorder, **dialects)
            link.renewal, link.provider, link.forked_id = renewal, provider, forked_id
            self.forks.let_in()
            carriage.introduce(link)
            forked = {"forked": forked_id} if forked_id else {}
            note = {"type": "connection.opened", "endpoint": profile.endpoint.kind}
            link.note({**note, **self._named(provider), **forked})
            try:
                await link.pump.listen()
                await self._prepare(link, provider)
                task_status.started(link)
                await link.released()
                # No other connection repeats what a translation still has to say.
                await link.conclude()
            finally:
                if not link.is_closed:
                    with anyio.move_on_after(_FAREWELL_S, shield=True):
                        await link.close()
                carriage.spending.add_late(provider.name, state.live.late_s)
                # The state is read when the session has ended, and would hold all that carried it.
                state.moves_on = bool

    async def _prepare(self, link: Link, provider: Provider) -> None:
        """Configure a connection and replay the history on it."""
        profile = provider.profile
        endpoint, asked = profile.endpoint, link.renewal.asked if link.renewal else None
        timeout_s = _LOCAL_TIMEOUT_S if isinstance(endpoint, LocalEndpoint) else endpoint.connect_timeout_s
        if asked is None:
            asked = await self._asked(provider)
        first = provider.asked.get("input", ()) if link.state.kind == "live" else ()
        event = first_event(link.history, asked, profile.run.history, first, is_fork=bool(link.forked_id))
        await link.configure(event, timeout_s=timeout_s)
        self._drift.compare(asked, link, profile.run.on_drift)
        if self._carriage.id:
            await link.prime(self.wanted(link), profile.run.history, timeout_s=CONFIRMATION_S)
        if link.pump.failure:
            raise link.pump.failure

    async def _asked(self, provider: Provider) -> JsonObject:
        """What a connection is first asked for: what the endpoint has granted so far, or the profile's session."""
        granted = self._carriage.state.configuration.asked if self._carriage.epoch else {}
        if granted:
            return self._rebased(granted, provider)
        tools = await self._tools() if self._tools else []
        return with_tools(provider.asked, tools) if tools else provider.asked

    def _rebased(self, wanted: JsonObject, provider: Provider | None) -> JsonObject:
        earlier = self._carriage.earlier.get(provider.kind) if provider else None
        return rebased(wanted, self._carriage.provider, provider, earlier)

    def _state(self, provider: Provider) -> SessionState:
        profile = provider.profile
        state = SessionState(
            self._carriage.state,
            kind=profile.session.type,
            max_response_retries=profile.run.max_response_retries,
            retries_lost=profile.run.reconnect.response_in_flight == "retry",
            moves_on=lambda: self.providers.other_than(provider) is not None,
            clock=loop_clock(),
        )
        if not provider.is_where(self._carriage.provider):
            state.rate_limits = RateLimits(state.side)
            state.live.silence_s = 0.0
        return state


def _dialects(profile: Profile) -> dict[str, Dialect]:
    endpoint = profile.endpoint
    preview = isinstance(endpoint, AzureEndpoint) and endpoint.speaks_preview
    return {"incoming": from_preview, "outgoing": to_preview} if preview else {}
