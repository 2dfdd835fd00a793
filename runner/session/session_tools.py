"""What the model of a session may call: the profile's tools, the host program's functions, and who approves of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.abc

from runner.errors import IllegalEvent, RunnerError
from runner.protocol.tool_place import change_of_tools, hosted_tools
from runner.session.approvals import Approvals
from runner.session.offered_tools import can_call, has_tools, laid_over, named_by_hand

if TYPE_CHECKING:
    from runner.protocol.json_fields import JsonObject
    from runner.session.call_ledger import CallLedger
    from runner.session.carriage import Carriage
    from runner.session.hang_up import HangUp
    from runner.session.host_tools import HostTools
    from runner.session.outbox import Outbox
    from runner.session.tool_loop import ToolLoop
    from runner.settings.profile import Profile
    from runner.tools.profile_tools import DeclaredSources, MakeSources
    from runner.tools.shared_servers import SharedServers
    from runner.tools.tool_source import ToolSource
    from runner.tools.toolbox import SourceRenewal, Toolbox


class SessionTools:
    """The tools of one session; what runs them is made, and imported, where there are any.

    Args:
        profile: Which tools there are, and what holds for all.
        carriage: Where the session is.
        outbox: What goes out of it.
        tasks: Where the tools live.
        sources: Makes the sources of the profile's tools; without it they are what the profile says.
        ledger: Knows of calls what other processes have to know, None where there are no others.
        shared: The MCP servers that several sessions share, None where there is only one.

    Attributes:
        approvals: The calls that wait for somebody's approval.
        dropped: Called with the requests of turns that do not go on.
        called: Called with the id of each call when it begins to run; what it returns is called, in the same task,
            when it has run.
    """

    def __init__(
        self,
        profile: Profile,
        carriage: Carriage,
        outbox: Outbox,
        tasks: anyio.abc.TaskGroup,
        sources: MakeSources | None = None,
        ledger: CallLedger | None = None,
        shared: SharedServers | None = None,
    ) -> None:
        self.approvals = Approvals(profile.run.tools.approval_timeout_s, carriage.changes)
        self.dropped: Callable[[Sequence[str]], object] = bool
        self.called: Callable[[str], Callable[[], object]] = lambda _call_id: bool
        self._profile = profile
        self._carriage = carriage
        self._outbox = outbox
        self._tasks = tasks
        self._make = sources
        self._ledger = ledger
        self._shared = shared
        self._toolbox: Toolbox | None = None
        self._loop: ToolLoop | None = None
        self._host: HostTools | None = None
        self._declared: DeclaredSources | None = None
        self._hang_up: HangUp | None = None
        """The model's wish to end the session, which it can only have where it is offered that."""
        self._watch: Callable[[HangUp], object] | None = None
        self._offered: list[JsonObject] = []
        self._opened = anyio.Event()

    @property
    def has_hung_up(self) -> bool:
        """Whether the model has said good-bye to end the session, which the user at most has still to hear."""
        return self._hang_up is not None and self._hang_up.is_due

    async def open_beside(self, connect: Callable[[], Awaitable[None]]) -> None:
        """Open the tools of the profile while something connects the session.

        Raises:
            RunnerError: One of the tools, or a connection, can never be had.
        """
        if not (has_tools(self._profile) or self._carriage.state.rounds.open):
            self._opened.set()
            await connect()
            return
        failures: list[RunnerError] = []
        async with anyio.create_task_group() as opening:
            opening.start_soon(self._open, self._made()[0], failures, opening.cancel_scope)
            try:
                await connect()
            except RunnerError as error:
                failures.append(error)
                opening.cancel_scope.cancel()
        if failures:
            raise failures[0]

    async def _open(self, toolbox: Toolbox, failures: list[RunnerError], scope: anyio.CancelScope) -> None:
        try:
            await toolbox.ready()
            self._opened.set()
        except RunnerError as error:
            failures.append(error)
            scope.cancel()

    async def first_definitions(self) -> list[JsonObject]:
        """The tools that the first connection is told of, once they are open; nothing where rt-run runs none."""
        if not self._opened.is_set():
            await self._opened.wait()
        self._offered = self.definitions()
        return self._offered

    def definitions(self) -> list[JsonObject]:
        """The tools as `session.tools` takes them: those of the session object, and those that rt-run runs.

        Nothing where rt-run runs none.
        """
        return laid_over(self._profile, self._toolbox.definitions()) if self._toolbox else []

    async def prepared(self, profile: Profile) -> ToolRenewal | None:
        """Open what another profile declares beside what is offered; a table that is the same keeps what it has.

        Returns:
            What can be taken, or given up; None where neither profile has tools.

        Raises:
            RunnerError: One of the tools can never be had; what is offered stays.
        """
        if self._toolbox is None:
            if not has_tools(profile):
                return None
            self._made()
            self._offered = self.definitions()
        from runner.tools.profile_tools import DeclaredSources

        declared = DeclaredSources(profile, self._declared, self._shared)
        renewal = await self._made()[0].opened_beside(self._ordered(profile, declared.sources))
        return ToolRenewal(declared, renewal, laid_over(profile, renewal.definitions()))

    def adopt(self, profile: Profile, renewal: ToolRenewal | None) -> None:
        """Go by another profile, and offer its tools, which the endpoint has been told of."""
        self._profile = profile
        self.approvals.timeout_s = profile.run.tools.approval_timeout_s
        if renewal is None:
            return
        renewal.sources.take()
        renewal.declared.reserve_names()
        self._declared, self._offered = renewal.declared, renewal.definitions
        if self._loop is not None:
            self._loop.adopt(profile.run.tools)
        self._carriage.state.rounds.most = profile.run.tools.max_rounds
        self._watch_offered()
        # What has come or gone meanwhile, or has another name by now.
        self.refresh()

    def watch_hang_up(self, watch: Callable[[HangUp], object]) -> None:
        """Call `watch` once, with the model's wish to end the session, where or when it is offered that."""
        self._watch = watch
        self._watch_offered()

    def end(self) -> None:
        """Tell nobody of anything any more, since the session has ended."""
        self.dropped, self._watch = bool, None

    def _watch_offered(self) -> None:
        if self._watch and self._hang_up and self._profile.run.tools.hang_up:
            self._watch(self._hang_up)
            self._watch = None

    def add(self, function: Callable[..., Any], **settings: Any) -> None:
        """Offer a function of the host program; one that the profile declares as `client` has its limits from there.

        Args:
            function: What is called.
            settings: Keys of `[[tools]]`, without `run`.

        Raises:
            IllegalEvent: The session has no conversation.
            ProfileError: The function or a setting cannot be used.
        """
        if not can_call(self._profile):
            msg = f"a session of the type {self._profile.session.type} calls no tools"
            raise IllegalEvent(msg)
        self._made()[1].add(function, settings)
        self.refresh()

    def refresh(self) -> None:
        """Tell the endpoint of the tools that are offered by now."""
        self._tasks.start_soon(self._refreshed)

    def _refresh_changed(self) -> None:
        if self.definitions() != self._offered:
            self.refresh()

    async def _refreshed(self) -> None:
        with suppress(RunnerError):
            # A session that has ended needs no tools.
            await self.settled()

    async def settled(self) -> None:
        """Wait until the endpoint has been told of every tool that is offered."""
        while self._toolbox is not None and (wanted := self.definitions()) != self._offered:
            self._offered = wanted
            change = change_of_tools(self._carriage.state.kind, [*self._hosted(wanted), *wanted])
            await self._outbox.send({"type": "session.update", "session": change})

    def _hosted(self, known: list[JsonObject]) -> list[JsonObject]:
        """What a Live session that has taken over offers beside: tools that its model's API brings itself."""
        provider, asked = self._carriage.provider, self._carriage.state.configuration.wanted
        hosted = hosted_tools(asked) if provider and provider.is_fallback else []
        return [each for each in hosted if each not in known]

    def interrupt(self, responses: Collection[str] | None = None) -> None:
        """Withdraw the calls of these responses, or all, that have not begun; their turns do not go on."""
        interrupted = self._carriage.state.rounds.interrupt(responses)
        if self._loop is not None and interrupted:
            self._loop.interrupt()
        if self._hang_up is not None and self.has_hung_up:
            self._hang_up.abandon()
        self.dropped([each.turn_id for each in interrupted if each.turn_id])
        self._carriage.changes.notify()

    def _made(self) -> tuple[Toolbox, HostTools]:
        """The toolbox and the functions of the host program, with the loop that runs them."""
        if self._toolbox is None or self._host is None:
            from runner.session.call_ledger import CallLedger
            from runner.session.filler import Filler
            from runner.session.hang_up import HangUp
            from runner.session.host_tools import HostTools
            from runner.session.tool_loop import ToolLoop
            from runner.tools.profile_tools import DeclaredSources
            from runner.tools.toolbox import Toolbox

            self._host, self._hang_up = HostTools(self._profile.tools), HangUp(self._carriage)
            if self._make:
                declared = self._make(self._profile)
            else:
                self._declared = DeclaredSources(self._profile, shared=self._shared)
                declared = self._declared.sources
            self._toolbox = Toolbox(self._ordered(self._profile, declared))
            self._loop = ToolLoop(
                self._profile.run.tools,
                self._toolbox,
                self._carriage,
                self._outbox,
                approvals=self.approvals,
                filler=Filler(self._carriage, self._outbox),
                hang_up=self._hang_up,
                refresh=self._refresh_changed,
                called=lambda call_id: self.called(call_id),
                ledger=self._ledger or CallLedger(),
            )
            rounds = self._carriage.state.rounds
            rounds.runs, rounds.most, rounds.approves = self._runs, self._profile.run.tools.max_rounds, True
            self._toolbox.open(self._tasks)
            self._carriage.add_reader(self._loop.read)
            self._tasks.start_soon(self._loop.run)
        return self._toolbox, self._host

    def _ordered(self, profile: Profile, declared: list[ToolSource]) -> list[ToolSource]:
        """Where the tools of a profile come from, in the order in which their names count."""
        built_in = [self._hang_up] if profile.run.tools.hang_up else []
        return [each for each in (*built_in, self._host) if each] + declared

    def _runs(self, name: str) -> bool:
        """Whether rt-run answers calls of this name: all but those of functions that stand in the session object."""
        assert self._toolbox is not None  # noqa: S101  # it is asked by the loop, which is made with it
        return self._toolbox.find(name) is not None or name not in named_by_hand(self._profile)


class ToolRenewal(NamedTuple):
    """The tools of another profile, open beside those that a session offers."""

    declared: DeclaredSources
    sources: SourceRenewal
    definitions: list[JsonObject]
    """The tools as `session.tools` takes them."""
