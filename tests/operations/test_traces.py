"""Traces of a real session, as a collector decodes them."""

import io
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner import logs
from runner.errors import ProfileError
from runner.operations.traces import traced
from runner.profile import LoadedProfile
from runner.profile.origins import Origins
from runner.runs.fleet import Fleet
from tests.helpers.endpoint_scripts import PATIENCE_S, asked, confirm, reached
from tests.helpers.log_capture import captured_log, log_restored
from tests.helpers.peer import Peer, profile_for, serving

otlp = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="needs the extra `otel`")

pytestmark = pytest.mark.anyio
CALL = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "look_up", "arguments": "{}"}
TOOL = {"name": "look_up", "run": {"kind": "command", "argv": ["echo", "shipped"]}}
SPEECH = {"event_id": "e", "item_id": "u1"}


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


class Collector:
    """What a collector has received.

    Attributes:
        spans: All spans, in the order in which they came.
        resource: The attributes of what has sent them.
        port: Where it listens.
    """

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resource: dict[str, Any] = {}
        self.port = 0

    def take(self, body: bytes) -> None:
        """Take in one request."""
        for each in otlp.ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = attributes(each.resource)
            self.spans += [span for scope in each.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        """The spans with this name, in the order of their beginnings."""
        return sorted((each for each in self.spans if each.name == name), key=lambda span: span.start_time_unix_nano)


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span or a resource, as plain values."""

    def plain(value: Any) -> Any:
        kind = value.WhichOneof("value")
        return [plain(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)

    return {each.key: plain(each.value) for each in of.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a loopback port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_port
        serving_ = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving_.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving_.join()


@asynccontextmanager
async def running(port: int, **tables: Any) -> AsyncIterator[Fleet]:
    """A run of this endpoint that is traced, from its opening to its end."""
    profile = profile_for(port, **{"input": {"kind": "none"}, "outputs": [], **tables})
    fleet = Fleet([LoadedProfile(profile, "support", Path("support.toml"), Origins({}))], None, 1.0)
    with anyio.fail_after(PATIENCE_S):
        async with traced(fleet), anyio.create_task_group() as tasks:
            tasks.start_soon(fleet.runs[0].execute)
            yield fleet
            fleet.runs[0].stop("signal")


@contextmanager
def written_log() -> Iterator[io.StringIO]:
    """The log as the command writes it, in JSON."""
    stream = io.StringIO()
    with log_restored():
        logs.configure(level="debug", format="json", stream=stream)
        yield stream


async def speaking(peer: Peer) -> None:
    """The user asks by voice for what takes a function; then a response fails."""
    await peer.greet()
    await peer.send({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **SPEECH})
    await peer.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **SPEECH})
    created = {"type": "response.created", "event_id": "e"}
    await peer.send({**created, "response": {"id": "r1", "conversation_id": "c"}})
    heard = {"type": "conversation.item.input_audio_transcription.completed", "content_index": 0, **SPEECH}
    await peer.send({**heard, "transcript": "Where is it? My key is sesame-open."})
    done: dict[str, Any] = {"id": "r1", "status": "completed", "conversation_id": "c"}
    call = {**CALL, "status": "completed"}
    await peer.send({"type": "response.output_item.done", "response_id": "r1", "output_index": 0, "item": call})
    await peer.send({"type": "response.done", "event_id": "e", "response": {**done, "output": [call]}})
    await asked(peer)
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"text_tokens": 4, "audio_tokens": 6}}
    await peer.answer("It is ", "shipped.", response_id="r2", item_id="i2", usage=usage)
    await peer.send({**created, "response": {"id": "r3", "conversation_id": "c"}})
    error = {"type": "failed", "error": {"type": "server_error", "code": "server_error", "message": "Out of order."}}
    failed = {"id": "r3", "status": "failed", "status_details": error, "output": [], "conversation_id": "c"}
    await peer.send({"type": "response.done", "event_id": "e", "response": failed})
    while (event := await peer.event()) is not None:
        await confirm(peer, event)


@pytest.mark.parametrize("has_content", [True, False], ids=["content", "no-content"])
async def test_a_collector_gets_what_a_session_has_done(monkeypatch: pytest.MonkeyPatch, *, has_content: bool) -> None:
    """A response a span, its call and what continues the turn below it; flushed at the end; the log has their ids."""
    with collecting() as collector, written_log() as log:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        tables: dict[str, Any] = {"tools": [TOOL], "traces": {"content": has_content}}
        async with serving(speaking) as (port, _), running(port, **tables) as fleet:
            run = fleet.runs[0]
            await reached(lambda: bool(run.session and run.session.usage.responses == 3))
        lines = [json.loads(line) for line in log.getvalue().splitlines()]

    assert len(collector.spans) == 4
    assert collector.resource.items() >= {"service.name": "rt-run", "deployment.environment.name": "test"}.items()
    first, second, failed = collector.named("realtime_inference test")
    (call,) = collector.named("execute_tool look_up")
    assert call.parent_span_id == second.parent_span_id == first.span_id
    assert first.trace_id == second.trace_id == call.trace_id != failed.trace_id
    assert first.parent_span_id == failed.parent_span_id == b""
    assert [each.kind for each in (first, second, failed, call)] == [3, 3, 3, 1]
    assert first.end_time_unix_nano <= call.start_time_unix_nano < call.end_time_unix_nano
    assert call.end_time_unix_nano <= second.start_time_unix_nano

    common = {
        "gen_ai.operation.name": "realtime_inference",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "test",
        "gen_ai.realtime_session.id": "sess_test",
        "gen_ai.conversation.id": "sess_test",
        "server.address": "127.0.0.1",
        "server.port": port,
        "rt_run.profile": "support",
        "rt_run.run_id": run.context["run_id"],
    }
    assert all(attributes(each).items() >= common.items() for each in (first, second))
    said = attributes(second)
    assert (said["gen_ai.response.id"], said["gen_ai.response.finish_reasons"]) == ("r2", ["completed"])
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.audio.input_tokens"]) == (10, 6)
    assert said["gen_ai.response.time_to_first_chunk"] >= 0
    assert (failed.status.code, failed.status.message) == (2, "the response failed: Out of order.")
    assert attributes(failed)["error.type"] == "server_error"
    used = attributes(call)
    assert (used["gen_ai.operation.name"], used["gen_ai.tool.call.id"]) == ("execute_tool", "c1")

    kept = json.dumps([attributes(each) for each in collector.spans])
    assert ("My key is sesame-open" in kept, "It is shipped." in kept, 'call.result": "shipped"' in kept) == (
        has_content,
    ) * 3
    if has_content:
        assert json.loads(said["gen_ai.output.messages"])[0]["parts"][0]["content"] == "It is shipped."

    (called,) = [line for line in lines if line["event"] == "tool_called"]
    assert (called["trace_id"], called["span_id"]) == (first.trace_id.hex(), first.span_id.hex())
    (closed,) = [line for line in lines if line["event"] == "session_closed"]
    assert "trace_id" not in closed


async def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end waits within the grace period, and says that spans are left; no secret of a header is told."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization sesame-open")

    async def answering(peer: Peer) -> None:
        await peer.greet()
        await peer.answer("words")
        await peer.to_the_end()

    library = logging.getLogger("opentelemetry.exporter.otlp")
    with written_log() as log:
        tables: dict[str, Any] = {"traces": {}, "run": {"grace_s": 0.1}}
        async with serving(answering) as (port, _), running(port, **tables) as fleet:
            run = fleet.runs[0]
            await reached(lambda: bool(run.session and run.session.usage.responses == 1))
            library.warning("nobody is there")
            library.error("no more attempts")
        lines = [json.loads(line) for line in log.getvalue().splitlines()]

    given_up = {"level": "warning", "reason": "no more attempts", "after": "nobody is there"}
    assert any(line.items() >= given_up.items() for line in lines)
    assert [line["within_s"] for line in lines if line["event"] == "traces_unfinished"] == [0.1]
    assert "sesame-open" not in log.getvalue()


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER is console"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "spans are sent by http/protobuf only"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "OTEL_* cannot be followed: max_queue_size"),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
async def test_the_variables_of_opentelemetry_are_followed_or_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], complaint: str
) -> None:
    """What there is not is refused before a session begins; what is switched off is not there."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    profile = profile_for(1, input={"kind": "none"}, outputs=[], traces={})
    fleet = Fleet([LoadedProfile(profile, "support", Path("support.toml"), Origins({}))], None, 1.0)
    with captured_log():
        if complaint:
            with pytest.raises(ProfileError) as refused:
                async with traced(fleet):
                    pass
            assert complaint in refused.value.message
        else:
            async with traced(fleet):
                assert not fleet.runs[0].readers
