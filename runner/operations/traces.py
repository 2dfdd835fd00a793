"""The traces of a process: what its sessions do, sent to a collector."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import anyio

import runner
from runner import logs
from runner.errors import ProfileError, reason_of
from runner.installation import install_command
from runner.redaction import hide
from runner.settings.trace_settings import unsupported_variable
from runner.tools.daemon_thread import run_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from opentelemetry.sdk.trace import TracerProvider

    from runner.operations.observed import EndingFleet, ObservedFleet
    from runner.session.session_spans import SessionSpans

FLUSH_S = 5.0
"""How long the end of the process waits for the collector at most, in seconds."""

_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@asynccontextmanager
async def traced(fleet: EndingFleet) -> AsyncIterator[None]:
    """Trace the sessions that want it for the length of the block, and send what is left at its end, in bounds.

    Args:
        fleet: The sessions of the process, none of which has begun.

    Raises:
        ProfileError: The library is not installed, or the variables of the environment ask for what there is not.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        yield
        return
    if problem := unsupported_variable(os.environ):
        raise ProfileError(problem, hint="OTEL_SDK_DISABLED=true, or traces.enabled = false, switches traces off")
    for secret in _secrets(os.environ):
        hide(secret)
    provider = _provider()
    spans = _spans(fleet, provider)

    def ids_of(line: Mapping[str, Any]) -> Mapping[str, str]:
        known = spans.get(line.get("run_id", ""))
        return known.ids if known else {}

    try:
        with logs.identified(ids_of):
            yield
    finally:
        await _flush(fleet, provider)


async def _flush(fleet: EndingFleet, provider: TracerProvider) -> None:
    """Send what is left, within the grace period; a second signal forgoes it."""
    is_forced = any(outcome.is_forced for outcome in fleet.outcomes)
    within_s = 0.0 if is_forced else min(FLUSH_S, max(run.profile.run.grace_s for run in fleet.runs))
    with anyio.move_on_after(within_s, shield=True) as scope:
        await run_in_thread(provider.shutdown)
    if scope.cancelled_caught:
        logs.logger().warning("traces_unfinished", within_s=within_s)


def _provider() -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        msg = f"traces need opentelemetry-exporter-otlp-proto-http: {reason_of(error)}"
        raise ProfileError(msg, hint=install_command("otel")) from None
    _hear_troubles()
    own = {"service.name": "rt-run", "service.version": str(runner.__version__)}
    try:
        resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except Exception as error:  # noqa: BLE001  # whatever the library makes of variables that it cannot follow
        msg = f"the variables OTEL_* cannot be followed: {reason_of(error)}"
        raise ProfileError(msg, hint="OTEL_SDK_DISABLED=true, or traces.enabled = false, switches traces off") from None
    return provider


def _spans(fleet: ObservedFleet, provider: TracerProvider) -> dict[str, SessionSpans]:
    """By the ids of runs, the spans of those whose profiles want them."""
    from runner.session.genai_names import PROFILE, RUN_ID
    from runner.session.session_spans import SessionSpans

    tracer, spans = provider.get_tracer("rt-run", str(runner.__version__)), {}
    for run in fleet.runs:
        if (traces := run.profile.traces) and traces.enabled:
            facts = {PROFILE: run.context["profile"], RUN_ID: run.context["run_id"]}
            made = SessionSpans(run.profile, tracer, facts=facts, has_content=traces.content)
            run.readers.append(made.take)
            run.whereabouts.followers.append(made.follow)
            spans[run.context["run_id"]] = made
    return spans


def _secrets(environ: Mapping[str, str]) -> list[str]:
    """What the variables hold that no line of the log may show."""
    headers = [each.strip() for name in _HEADERS for each in environ.get(name, "").split(",")]
    # What is no header is told as a whole by the library, and may be a value beside its place.
    values = [each.partition("=")[2].strip() or each for each in headers]
    passwords = [urlsplit(environ.get(name, "")).password or "" for name in _ENDPOINTS]
    return [*values, *map(unquote, values), *passwords]


class _Troubles(logging.Handler):
    """What OpenTelemetry says of itself, as lines of our log; why it tries again is told once it has given up."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._latest = ""

    def emit(self, record: logging.LogRecord) -> None:
        reason = record.getMessage()
        if record.name.startswith("opentelemetry.exporter") and record.levelno < logging.ERROR:
            self._latest = reason
            logs.logger().debug("tracing_troubled", reason=reason)
        else:
            after, self._latest = self._latest, ""
            logs.logger().warning("tracing_troubled", reason=reason, **({"after": after} if after else {}))


def _hear_troubles() -> None:
    """Keep OpenTelemetry from writing to standard error itself, which its threads may do to the very end."""
    library = logging.getLogger("opentelemetry")
    if not any(isinstance(each, _Troubles) for each in library.handlers):
        library.addHandler(_Troubles())
        library.propagate = False
