"""The traces of a session that a program has opened: they go to the TracerProvider of the program."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import runner
from runner import logs
from runner.errors import ProfileError, reason_of
from runner.installation import install_command
from runner.session.genai_names import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Place
    from runner.session.update import Update
    from runner.settings.profile import Profile

_MOST_REQUESTS = 64
_REQUESTS = frozenset({"response.create", "input_audio_buffer.commit"})


class HostTraces:
    """Makes the spans of one session by the interface of OpenTelemetry; what becomes of them the program decides.

    The trace of a turn begins in the context in which the program has asked for it, or, where turn detection has, in
    that in which the session was opened.

    Args:
        profile: What the session is opened from.
        name: The profile's name, nothing where it has none.
        has_content: Whether spans hold what was said.

    Raises:
        ProfileError: The library is not installed.
    """

    def __init__(self, profile: Profile, name: str, *, has_content: bool) -> None:
        try:
            from opentelemetry import context, trace
        except ImportError as error:
            msg = f"traces need opentelemetry-api: {reason_of(error)}"
            raise ProfileError(msg, hint=install_command("otel")) from None
        from runner.session.session_spans import SessionSpans

        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            hint = "call opentelemetry.trace.set_tracer_provider, or start the program with opentelemetry-instrument"
            logs.logger().warning("traces_unheard", problem="the program has no TracerProvider", hint=hint)
        self._context = context
        self._has_failed = False
        self._opened_in = context.get_current()
        self._asked_in: dict[str, Context] = {}
        """By the ids of requests that have no response yet, the contexts in which the program has sent them."""
        tracer = trace.get_tracer("rt-run", str(runner.__version__))
        facts = {PROFILE: name}
        self._spans = SessionSpans(profile, tracer, facts=facts, has_content=has_content, parent_of=self._parent_of)

    def take(self, update: Update) -> None:
        """Follow the session: a reader, which never waits, and which no failure of the program's processors ends."""
        if self._has_failed:
            return
        try:
            self._spans.take(update)
        except Exception as error:  # noqa: BLE001  # whatever it is, the session goes on
            self._fail(error)

    def follow(self, place: Place) -> None:
        """Take in where the session is."""
        self._spans.follow(place)

    def enter_call(self, call_id: str) -> Callable[[], object]:
        """Let what this task does from now on, which is a call, stand below the call's span, until it is over.

        Returns:
            What is called then: what comes after stands where it would without the call, whatever that has left behind.
        """
        inside: Context | None = None
        try:
            inside = None if self._has_failed else self._spans.calls.begin(call_id)
        except Exception as error:  # noqa: BLE001  # likewise
            self._fail(error)
        return partial(self._context.detach, self._context.attach(inside or self._context.get_current()))

    def sent(self, event: JsonObject, *, epoch: int) -> None:
        """A client event goes out, in the context of whoever sends it."""
        del epoch
        if event["type"] in _REQUESTS:
            while len(self._asked_in) >= _MOST_REQUESTS:
                del self._asked_in[next(iter(self._asked_in))]
            self._asked_in[event["event_id"]] = self._context.get_current()

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        """Spans are made of effects, not of events."""

    def note(self, event: JsonObject, *, epoch: int) -> None:
        """Connections have no spans."""

    def _fail(self, error: Exception) -> None:
        self._has_failed = True
        logs.logger().warning("traces_failed", reason=reason_of(error))

    def _parent_of(self, request_id: str) -> Context:
        return self._asked_in.pop(request_id, self._opened_in)
