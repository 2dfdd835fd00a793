"""What the commands of the control socket do to a session."""

from __future__ import annotations

from fnmatch import fnmatchcase
from time import time
from typing import TYPE_CHECKING, Any

from runner import logs
from runner.errors import RunnerError
from runner.operations.control_events import asked_events
from runner.operations.control_protocol import MAX_UNREAD_BYTES, RequestRefused
from runner.operations.control_requests import ApprovalAnswerRequest, EventsRequest
from runner.outputs.text import TextLines
from runner.protocol.effects import Opened, ResponseEnded
from runner.session.confirmation import send_confirmed
from runner.session.reconfiguration import renew
from runner.session.update import Update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.operations.control_requests import AnyRequest
    from runner.operations.controllable import ControllableFleet, ControllableRun
    from runner.session.session import Session

    Tell = Callable[[dict[str, Any]], Awaitable[None]]

_STATES = {"opening": "not open yet", "draining": "being closed", "flushing": "being closed", "ended": "over"}


async def carry_out(fleet: ControllableFleet, request: AnyRequest, tell: Tell) -> dict[str, Any]:
    """Do what a request says; returns the result.

    Args:
        fleet: The sessions of the process.
        request: The request.
        tell: Called with each part of what the request follows.

    Raises:
        RequestRefused: It means no session or several, or it is refused.
    """
    if request.command == "reload":
        return await _reload(fleet)
    run = _the_one(fleet, request)
    with logs.bound(**run.context):
        if request.command not in {"events", "attach"}:
            logs.logger().info("control_command", command=request.command)
        try:
            return await _with_run(run, request, tell)
        except RunnerError as error:
            raise RequestRefused("refused", error.message, error.hint) from None
        finally:
            if run.session:
                # Who looks at the state next sees what has come of it.
                run.session.changes.notify()


async def _with_run(run: ControllableRun, request: AnyRequest, tell: Tell) -> dict[str, Any]:
    if request.command == "close":
        run.stop("control")
        return {}
    if request.command.startswith("input."):
        return _switch_input(run, request.command.removeprefix("input."))
    if request.command.startswith("output."):
        return _switch_output(run, request.command.removeprefix("output."))
    if run.session is None or run.phase != "live":
        whose = f"session {run.number} of {run.context['profile']}"
        raise RequestRefused("refused", f"{whose} is {_STATES.get(run.phase, run.phase)}")
    if request.command == "cancel":
        return await _cancel(run, run.session)
    if request.command == "rollover":
        await renew(run.session.carriage, run.profile, run.session.state.configuration.wanted)
        return {"connections": run.session.epoch}
    return await _with_session(run.session, request, tell)


async def _with_session(session: Session, request: AnyRequest, tell: Tell) -> dict[str, Any]:
    if isinstance(request, EventsRequest):
        return await _follow(session, request.filter, tell)
    if isinstance(request, ApprovalAnswerRequest):
        return _answer_call(session, request)
    if request.command == "attach":
        return await _attach(session, tell)
    if asked := asked_events(request, session.state.kind):
        return await send_confirmed(session, *asked.events, in_turn=asked.in_turn)
    raise RequestRefused("bad-request", f"there is no command {request.command}")


def meant_runs(fleet: ControllableFleet, request: AnyRequest) -> list[ControllableRun]:
    """The sessions that a request means."""
    return [
        each
        for each in fleet.runs
        if request.session in {None, each.number} and request.profile in {None, each.context["profile"]}
    ]


def _the_one(fleet: ControllableFleet, request: AnyRequest) -> ControllableRun:
    found = meant_runs(fleet, request)
    if len(found) == 1:
        return found[0]
    of_profile = f" of {request.profile}" if request.profile else ""
    if not found:
        number = f"session {request.session}" if request.session else "session"
        raise RequestRefused("no-session", f"there is no {number}{of_profile} in this process")
    hint = f"choose one by its number, {found[0].number} to {found[-1].number}"
    raise RequestRefused("bad-request", f"there are {len(found)} sessions{of_profile}", hint)


async def _reload(fleet: ControllableFleet) -> dict[str, Any]:
    try:
        return await fleet.reload()
    except RunnerError as error:
        raise RequestRefused("refused", error.message, error.hint) from None


def _answer_call(session: Session, request: ApprovalAnswerRequest) -> dict[str, Any]:
    if session.tools is None:
        raise RequestRefused("refused", "this session calls no tools")
    approve = request.command == "approve"
    session.tools.approvals.answer(request.call_id, approve=approve, reason=request.reason)
    return {}


async def _cancel(run: ControllableRun, session: Session) -> dict[str, Any]:
    playback = run.outputs.playback
    is_answering = session.state.busy or bool(playback and playback.is_playing)
    if playback:
        playback.interrupt()
    await session.cancel()
    return {"cancelled": is_answering}


def _switch_input(run: ControllableRun, verb: str) -> dict[str, Any]:
    switch = run.input.switch
    if switch is None:
        hint = "a chat, push-to-talk and a session without input have nothing to switch"
        raise RequestRefused("refused", "the input of this session cannot be switched", hint)
    if verb in {"mute", "unmute"} and not switch.can_mute:
        hint = "`input stop` takes nothing more"
        raise RequestRefused("refused", "the input of this session is no live sound, which could be muted", hint)
    getattr(switch, verb)()
    return {"input": switch.state}


def _switch_output(run: ControllableRun, verb: str) -> dict[str, Any]:
    if not run.outputs.is_audible:
        hint = "only a loudspeaker and samples on standard output are heard"
        raise RequestRefused("refused", "this session plays nothing", hint)
    run.outputs.silence(is_silent=verb == "stop")
    return {"output": "stopped" if run.outputs.is_silent else "started"}


async def _follow(session: Session, patterns: list[str], tell: Tell) -> dict[str, Any]:
    """Tell of every event of these types until the session ends."""
    events = session.events(max_bytes=MAX_UNREAD_BYTES)
    try:
        async for event in events:
            kind = str(event.get("type", ""))
            if not patterns or any(fnmatchcase(kind, each) for each in patterns):
                await tell({"event": event})
    finally:
        events.close()
    return {}


async def _attach(session: Session, tell: Tell) -> dict[str, Any]:
    """Tell the text of answers as it comes, and which requests are answered, until the session ends."""
    lines = TextLines(terminal=True)
    lines.render([Update(None, [Opened(session.id, 0, session.state.kind)], time(), 0)])
    effects = session.effects(max_bytes=MAX_UNREAD_BYTES)
    try:
        async for effect in effects:
            if text := lines.render([Update({}, [effect], time(), 0)]):
                await tell({"text": text})
            if isinstance(effect, ResponseEnded):
                await tell({"answered": effect.request_id, "status": effect.status})
    finally:
        effects.close()
    return {}
