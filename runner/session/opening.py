"""A profile → a live session that is kept alive; the Python API's way in, and the command's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner.errors import ProfileError, RunnerError
from runner.profile.session_source import SessionProfile
from runner.session.carriage import Carriage
from runner.session.dialer import Dialer
from runner.session.keeper import Keeper
from runner.session.outbox import Outbox
from runner.session.providers import Providers
from runner.session.session import Session
from runner.session.session_tools import SessionTools
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile
    from runner.profile.session_source import Fallback
    from runner.session.approvals import Approve
    from runner.session.carriage import Moved, Place
    from runner.session.delegated_tasks import Delegate
    from runner.session.greeting_audio import GreetingAudio
    from runner.session.hang_up import HangUp
    from runner.session.host_traces import HostTraces
    from runner.session.pump import Reader
    from runner.session.recorder import Recorder
    from runner.session.resumption import Resumption
    from runner.session.state_place import StatePlace
    from runner.settings.greeting import Greeting
    from runner.settings.profile import Profile
    from runner.tools.profile_tools import MakeSources
    from runner.tools.shared_servers import SharedServers

_FAREWELL_S = 2.0


@asynccontextmanager
async def open_session(
    profile: str | Path | Profile | LoadedProfile,
    *,
    variables: Mapping[str, str] | None = None,
    readers: Sequence[Reader] = (),
    approve: Approve | None = None,
    fresh: bool = False,
) -> AsyncIterator[Session]:
    """Open the session that a profile describes; it is configured when the body starts and closed when it ends.

    It outlives its connections, as the profile's `[run.reconnect]`, `[run.rollover]` and `[run.history]` say. Of
    inputs, outputs, limits and signals it knows nothing: these belong to the command. With `[traces]` its spans go to
    the program's own TracerProvider of OpenTelemetry.

    Args:
        profile: A profile, or its name or path as after `rt-run --profile`.
        variables: Values of the profile's `[variables]`, before all others that it has.
        readers: Called with each update in the callback that brought it; they must not wait.
        approve: Asked whether a call may run where its tool has `approval = "always"`.
        fresh: Whether it begins anew though `[run.resume]` has an earlier process's session.

    Raises:
        ProfileError: There is no such profile, it has problems, or a variable lacks its value.
        RunnerError: The session cannot be opened; which branch of the tree says why.
    """
    source = _filled(profile, variables or {})
    traces, place = _traces_of(source.profile, source.name), _state_place(source, is_fresh=fresh)
    moved = traces.follow if traces else None
    readers = [*([traces.take] if traces else []), *readers]
    async with kept_session(source, readers=readers, recorder=traces, moved=moved, state=place) as session:
        if session.tools:
            session.tools.approvals.ask_by(approve)
            if traces:
                session.tools.called = traces.enter_call
        yield session


@asynccontextmanager
async def kept_session(
    source: SessionProfile,
    *,
    readers: Sequence[Reader] = (),
    recorder: Recorder | None = None,
    slots: anyio.Semaphore | None = None,
    moved: Moved | None = None,
    opened: Callable[[Session], None] | None = None,
    ended: Callable[[str], None] | None = None,
    sources: MakeSources | None = None,
    state: StatePlace | None = None,
    failed: Callable[[RunnerError], None] | None = None,
    servers: SharedServers | None = None,
) -> AsyncIterator[Session]:
    """Open a session as `open_session` does, for one of several that a command runs.

    Args:
        source: What it is opened from.
        readers: Called with each update; they must not wait.
        recorder: Keeps a record of all that is sent and received.
        slots: Held by each attempt to connect, where many sessions must not do so at once.
        moved: Called with each new place of the session.
        opened: Called with the session once it is open, before anything is said in it.
        ended: Called with the reason where the session is to end by itself; without it, it is closed then.
        sources: Makes the sources of the profile's tools; without it they are what the profile says.
        state: Where it is written down, as `[run.resume]` says.
        failed: Called when it cannot be written down any more; without it, it ends with that error then.
        servers: The MCP servers that it may share with others.
    """
    profile = source.profile
    audio = await _greeting_audio(profile.greeting)
    moved = _followed(moved, lambda: _keep_speaking(carriage, outbox, tasks))
    carriage = Carriage(anyio.current_time(), readers, moved)
    outbox = Outbox(carriage, max_audio_age_s=profile.run.reconnect.max_audio_age_s)
    async with _resumption(state, profile) as resumption, body_task_group() as tasks:
        if resumption:
            resumption.follow(carriage, profile)
            if recorder and resumption.is_resumed:
                recorder.note({"type": "state.resumed", "session_id": carriage.id}, epoch=0)
            ended = resumption.concluding(ended or (lambda _: tasks.start_soon(session.aclose)))
        tools = SessionTools(profile, carriage, outbox, tasks, sources, resumption, servers)
        session = Session(carriage, outbox, tools)
        session.resumption = resumption
        providers = Providers(source)
        carriage.go_by(providers)
        dialer = Dialer(providers, carriage, tasks, recorder, slots, tools=tools.first_definitions)
        keeper = Keeper(carriage, outbox, dialer, tasks)
        delegate = _delegate(profile, carriage, outbox, tasks)
        try:
            await tools.open_beside(keeper.open)
            tasks.start_soon(keeper.run)
            if delegate:
                await delegate.ready()
            if resumption:
                tasks.start_soon(resumption.run, failed or partial(_end_with, carriage))
            if opened:
                opened(session)
            if profile.greeting and not (resumption and resumption.was_greeted):
                from runner.session.greeter import Greeter

                greeter = Greeter(profile.greeting, session, carriage, audio)
                if resumption:
                    resumption.is_greeted = lambda: greeter.has_asked
                await tasks.start(greeter.run)
            tools.watch_hang_up(lambda hang_up: tasks.start_soon(_end_when_hung_up, hang_up, session, ended))
            if profile.idle:
                from runner.session.idle_watch import IdleWatch

                tasks.start_soon(IdleWatch(profile.idle, session, carriage, ended).run)
            yield session
            await session.aclose()
        finally:
            if not session.is_over:
                with anyio.move_on_after(_FAREWELL_S, shield=True):
                    await session.aclose()
            tools.end()


def _followed(moved: Moved | None, keep_speaking: Callable[[], None]) -> Moved:
    """Follow where a session is, which a Live session carries from its beginning or after a while."""

    def follow(place: Place) -> None:
        if place.link is not None and place.link.state.kind == "live":
            keep_speaking()
        if moved:
            moved(place)

    return follow


def _keep_speaking(carriage: Carriage, outbox: Outbox, tasks: anyio.abc.TaskGroup) -> None:
    """Keep the audio of a session going, and end its turns by the clock, whenever it is a Live session."""
    if outbox.steady is not None:
        return
    from runner.session.steady_stream import SteadyStream
    from runner.session.turn_clock import TurnClock

    outbox.steady = SteadyStream(carriage)
    tasks.start_soon(outbox.steady.run)
    tasks.start_soon(TurnClock(carriage).run)


def _delegate(profile: Profile, carriage: Carriage, outbox: Outbox, tasks: anyio.abc.TaskGroup) -> Delegate | None:
    """Who does what a Live model delegates, from the first word on."""
    if profile.delegate is None:
        return None
    from runner.session.delegated_tasks import Delegate

    delegate = Delegate(profile.delegate, carriage, outbox, tasks)
    delegate.begin()
    return delegate


async def _greeting_audio(settings: Greeting | None) -> GreetingAudio | None:
    """The recording that greets, read before anything connects."""
    if settings is None or settings.audio is None:
        return None
    from runner.session.greeting_audio import read_greeting

    return await read_greeting(settings.audio, settings.text or "")


@asynccontextmanager
async def _resumption(state: StatePlace | None, profile: Profile) -> AsyncIterator[Resumption | None]:
    """What writes the session down, and knows what earlier processes have written; None where nothing does."""
    if state is None:
        yield None
        return
    from runner.session.resumption import resumption_at

    async with resumption_at(state, profile) as resumption:
        yield resumption


def _end_with(carriage: Carriage, error: RunnerError) -> None:
    """End a session that nobody else ends, since it cannot be written down any more."""
    link = carriage.link
    carriage.end(error)
    if link is not None:
        link.release()


async def _end_when_hung_up(hang_up: HangUp, session: Session, ended: Callable[[str], None] | None) -> None:
    """End the session once the user has heard the model's good-bye."""
    await hang_up.heard()
    if ended:
        ended("hung-up")
    else:
        await session.aclose()


def _traces_of(profile: Profile, name: str) -> HostTraces | None:
    """What makes the spans of a session whose profile wants some; without it nothing of them is imported."""
    if profile.traces is None or not profile.traces.enabled:
        return None
    from runner.session.host_traces import HostTraces

    return HostTraces(profile, name, has_content=profile.traces.content)


def _filled(profile: object, variables: Mapping[str, str]) -> SessionProfile:
    """What a session is opened from that starts now."""
    from datetime import UTC, datetime

    from runner.profile.filling import filled, with_values
    from runner.profile.load import LoadedProfile, load_profile, made_fallbacks
    from runner.settings.profile import Profile

    if isinstance(profile, str | Path):
        profile = load_profile(profile)
    name = ""
    fallbacks: Sequence[Fallback] = ()
    if isinstance(profile, LoadedProfile):
        name, fallbacks, profile = profile.name, profile.fallbacks, profile.profile
    elif isinstance(profile, Profile):
        fallbacks = made_fallbacks(profile)
    if not isinstance(profile, Profile):
        msg = f"a session is opened from a profile, its name or its path, not from {type(profile).__name__}"
        raise ProfileError(msg, hint="make_profile(…) makes a profile without a file")
    profile = filled(with_values(profile, variables), name=name, started=datetime.now(UTC))
    return SessionProfile(profile, name, fallbacks)


def _state_place(source: SessionProfile, *, is_fresh: bool) -> StatePlace | None:
    profile = source.profile
    if profile.run.resume is None:
        return None
    from runner.profile.filling import path_values
    from runner.session.state_place import state_place

    return state_place(profile, {**path_values(profile), "profile": source.name, "session": "1"}, is_fresh=is_fresh)
