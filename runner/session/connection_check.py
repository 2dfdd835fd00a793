"""Tries the way to a profile's endpoint step by step, as a run goes it, and asks for no response."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import anyio

from runner.connect import steps
from runner.connect.address import address_of, model_name, models_address
from runner.connect.credentials import credential_headers
from runner.connect.handshake import open_websocket
from runner.connect.model_list import listed_models
from runner.errors import AccessRefused, EndpointUnreachable, RunnerError
from runner.profile.session_source import SessionProfile
from runner.profile.suggestion import nearest
from runner.protocol.drift import differences
from runner.protocol.severity import brief
from runner.session.carriage import Carriage
from runner.session.dialer import Dialer
from runner.session.drift_report import drift_refused
from runner.session.providers import Providers
from runner.settings.endpoint import LocalEndpoint
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.session.link import Link
    from runner.settings.profile import Profile

StepName = Literal[
    steps.OpeningStep, "session.created", "session.updated", "session.started", "drift", "close", "models"
]
StepState = Literal["passed", "warned", "failed", "skipped"]

_OPENING: Final[tuple[StepName, ...]] = ("dns", "tcp", "proxy", "tls", "credential", "handshake")
_GREETED: Final[tuple[StepName, ...]] = ("session.created", "session.updated")
_STARTED: Final[tuple[StepName, ...]] = ("session.started",)
"""How a Live session begins, which the client's first event starts."""
_REST: Final[tuple[StepName, ...]] = ("drift", "close", "models")
_NORMAL_CLOSURE = 1000


@dataclass(slots=True)
class CheckedStep:
    """One step of the way: how far it has come, and what was seen there."""

    name: StepName
    state: StepState = "skipped"
    took_s: float = 0.0
    """How long it took, in seconds."""
    seen: str = ""
    """What was found out, in one line."""
    error: RunnerError | None = None
    """Why it failed, with what to do about it."""


class _Enough(RunnerError):
    """The check goes no further than this step."""


async def check_connection(profile: Profile) -> list[CheckedStep]:
    """Go the way to the endpoint once: resolve, connect, authenticate, configure a session, and close it.

    Each step has the time limit that it has in a run. What a session does once it is open does not happen: no input,
    no output, no response. A sideband stops before it joins its call.

    Args:
        profile: A valid profile.

    Returns:
        All steps in the order in which they build on each other; the first that failed says what stands in the way.
    """
    check = _ConnectionCheck(profile)
    with steps.watched_by(check):
        await check.run()
    await check.list_models()
    return list(check.steps.values())


def failed_step(checked: Sequence[CheckedStep]) -> CheckedStep | None:
    """The step that stands in the way, None where all is well."""
    return next((each for each in checked if each.state == "failed"), None)


class _ConnectionCheck:
    """Follows the one attempt as its `OpeningWatch` and as its `Recorder`, and notes when each step begins and ends."""

    def __init__(self, profile: Profile) -> None:
        # One attempt, and drift is judged here.
        once = profile.run.reconnect.model_copy(update={"max_attempts": 0})
        run = profile.run.model_copy(update={"reconnect": once, "on_drift": "ignore"})
        self._is_live = profile.session.type == "live"
        begun = _STARTED if self._is_live else _GREETED
        self.steps = {name: CheckedStep(name) for name in (*_OPENING, *begun, *_REST)}
        self._asked = profile
        self._profile = profile.model_copy(update={"run": run})
        self._current: CheckedStep | None = None
        self._entered_s = 0.0
        self._is_probe = bool(getattr(profile.endpoint, "call_id", None))
        """Whether the check stops before the handshake."""

    async def run(self) -> None:
        """Try all steps, as far as they can be tried."""
        try:
            await self._try_session()
        except _Enough:
            self.steps["handshake"].seen = "not tried, since a sideband would join its call"
        except RunnerError as error:
            self._fail(error)
            if self._current is self.steps["credential"]:
                await self._probe()

    async def list_models(self) -> None:
        """See whether the endpoint lists the model for this key; called where nobody watches."""
        step, name = self.steps["models"], model_name(self._profile)
        if name is None or self.steps["credential"].state != "passed" or self.steps["handshake"].state == "skipped":
            return
        with suppress(RunnerError):
            address = models_address(self._profile, await credential_headers(self._profile))
            if address is None:
                return
            assert not isinstance(self._profile.endpoint, LocalEndpoint)  # noqa: S101  # for the type checker
            started_s = anyio.current_time()
            try:
                models = await listed_models(address, self._profile.endpoint)
            except EndpointUnreachable as error:
                step.seen = f"no list of models here: {error.message}"
                return
            step.took_s = anyio.current_time() - started_s
            step.state = "passed" if name in models else "warned"
            step.seen = brief(_found(name, models))

    def enter(self, step: StepName) -> None:
        """Take it that the attempt has come to a step."""
        self._leave()
        if step == "handshake" and self._is_probe:
            self._current = None
            raise _Enough("no handshake is tried")
        self._current, self._entered_s = self.steps[step], anyio.current_time()

    def see(self, seen: str) -> None:
        """Take what the step has found out."""
        if self._current is not None:
            self._current.seen = brief(seen)

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        """Take what the endpoint says of the session."""
        session = event.get("session")
        if event.get("type") in {"session.created", "session.started"} and isinstance(session, dict):
            self.see(" ".join(str(session[key]) for key in ("id", "model") if session.get(key)))

    def sent(self, event: JsonObject, *, epoch: int) -> None:
        """Take it that the session is being configured."""
        if event["type"] in {"session.update", "session.start"}:
            self.enter("session.started" if self._is_live else "session.updated")

    def note(self, event: JsonObject, *, epoch: int) -> None:
        """Take it that the connection is open."""
        if event["type"] == "connection.opened" and not self._is_live:
            self.enter("session.created")

    async def _try_session(self) -> None:
        async with body_task_group() as tasks:
            dialer = Dialer(Providers(SessionProfile(self._profile)), Carriage(anyio.current_time()), tasks, self)
            link = await dialer.open(lambda _link: None)
            self._leave()
            self._judge_drift(link)
            self.enter("close")
            await link.close()
            self._leave()
            if link.close_code != _NORMAL_CLOSURE:
                self.steps["close"].state = "warned"
                self.steps["close"].seen = "the endpoint did not answer the closing handshake"

    def _judge_drift(self, link: Link) -> None:
        step, on_drift = self.steps["drift"], self._asked.run.on_drift
        if on_drift == "ignore":
            step.seen = 'not looked at: `run.on_drift` is "ignore"'
            return
        configuration = link.state.configuration
        asked: JsonObject = {"type": link.state.kind, **(configuration.asked or {})}
        drift = differences(asked, configuration.reported)
        step.state, step.seen = "warned" if drift else "passed", "; ".join(map(str, drift))
        if drift and on_drift == "fail":
            step.state, step.error = "failed", drift_refused(drift)

    async def _probe(self) -> None:
        """Try the network without a credential, so that one run says all that stands in the way."""
        assert not isinstance(self._profile.endpoint, LocalEndpoint)  # noqa: S101  # for the type checker
        self._current, self._is_probe = None, True
        try:
            async with open_websocket(address_of(self._profile, {}), self._profile.endpoint):
                pass
        except _Enough:
            return
        except RunnerError as error:
            self._fail(error)

    def _leave(self) -> None:
        if self._current is not None:
            self._current.state = "passed"
            self._current.took_s += anyio.current_time() - self._entered_s

    def _fail(self, error: RunnerError) -> None:
        """Blame the step that is under way; a credential that is refused is to blame wherever the refusal comes."""
        step = self._current or self.steps["handshake"]
        if self._current is not None:
            step.took_s += anyio.current_time() - self._entered_s
        if isinstance(error, AccessRefused) and step.name in ("handshake", "session.created", "session.started"):
            step = self.steps["credential"]
        step.state, step.error, step.seen = "failed", error, ""


def _found(name: str, models: list[str]) -> str:
    if name in models:
        return f"{name} is one of {len(models)} for this key"
    near = nearest(name, models)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{name} is none of {len(models)} for this key{meant}"
