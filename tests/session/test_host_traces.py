"""The traces of a program that opens a session: by its own TracerProvider, in its own contexts."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from runner import make_profile, open_session
from runner.errors import ProfileError
from runner.protocol.effects import TurnEnded
from runner.session.host_traces import HostTraces
from tests.helpers.endpoint_scripts import PATIENCE_S, asked, confirm
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, profile_for, serving

pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra `otel`")

from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

pytestmark = pytest.mark.anyio
SPEECH = {"event_id": "e", "item_id": "u1"}


class Kept(SpanProcessor):
    """Keeps the spans that have ended; `is_broken` has it fail instead."""

    def __init__(self) -> None:
        self.spans: dict[str, ReadableSpan] = {}
        self.is_broken = False

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span by its name, a response's by its id."""
        if self.is_broken:
            raise OSError("the disk is full")
        self.spans[str((span.attributes or {}).get("gen_ai.response.id", span.name))] = span

    def parent(self, name: str) -> str:
        """The name by which the parent of a span is kept, nothing where it has none."""
        above = self.spans[name].parent
        ids = {each.context.span_id: key for key, each in self.spans.items()}
        return ids[above.span_id] if above else ""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """What the TracerProvider of the program has made."""
    kept, provider = Kept(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(kept)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield kept
    provider.shutdown()


async def answering(peer: Peer) -> None:
    """Call a function for the first question, answer twice, the second time a user who speaks."""
    await peer.greet()
    await asked(peer)
    response = {"id": "r1", "conversation_id": "c"}
    call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "look_up", "arguments": "{}"}
    await peer.send({"type": "response.created", "event_id": "e", "response": response})
    call |= {"status": "completed"}
    await peer.send({"type": "response.output_item.done", "response_id": "r1", "output_index": 0, "item": call})
    done = {**response, "status": "completed", "output": [call]}
    await peer.send({"type": "response.done", "event_id": "e", "response": done})
    await asked(peer)
    await peer.answer("shipped", response_id="r2", item_id="i2")
    await peer.send({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **SPEECH})
    await peer.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **SPEECH})
    await peer.answer("heard", response_id="r3", item_id="i3")
    while (event := await peer.event()) is not None:
        await confirm(peer, event)


async def converse(tracer: trace.Tracer, *, traces: dict[str, Any] | None) -> str:
    """One session, opened in one span and asked in another; returns its first answer."""
    with tracer.start_as_current_span("call"), anyio.fail_after(PATIENCE_S):
        tables = {} if traces is None else {"traces": traces}
        async with (
            serving(answering) as (port, _),
            open_session(profile_for(port, **tables)) as session,
        ):
            effects = session.effects()

            @session.tool
            async def look_up() -> str:
                """Look up an order."""
                with tracer.start_as_current_span("query"):
                    return "found"

            with tracer.start_as_current_span("question"):
                answer = await session.ask("Where is it?")
            async for effect in effects:
                if isinstance(effect, TurnEnded) and effect.text == "heard":
                    return answer
    raise AssertionError("the session has ended")


async def test_spans_stand_in_the_contexts_of_the_program(kept: Kept) -> None:
    """A question below the span that asks, an answer to speech below the one that opens, a function below its call."""
    assert await converse(trace.get_tracer("program"), traces={}) == "shipped"

    expected = {
        "call": "",
        "question": "call",
        "r1": "question",
        "r2": "r1",
        "r3": "call",
        "execute_tool look_up": "r1",
        "query": "execute_tool look_up",
    }
    assert {name: kept.parent(name) for name in kept.spans} == expected
    assert {each.context.trace_id for each in kept.spans.values()} == {kept.spans["call"].context.trace_id}
    assert "shipped" not in str([each.to_json() for each in kept.spans.values()])


async def test_what_a_call_leaves_behind_is_over_with_it(kept: Kept) -> None:
    """Such as a context that its function attaches and never detaches."""
    del kept
    traces = HostTraces(make_profile(endpoint={"kind": "local"}, traces={}), "", has_content=False)
    before = context.get_current()
    leave = traces.enter_call("c1")
    context.attach(context.set_value("left", True))
    leave()
    assert context.get_current() == before


async def test_only_a_profile_with_traces_makes_any(kept: Kept) -> None:
    """Whatever the program has set up."""
    for traces in (None, {"enabled": False}):
        assert await converse(trace.get_tracer("program"), traces=traces) == "shipped"
    assert set(kept.spans) == {"call", "question", "query"}


async def test_a_processor_that_fails_ends_no_session(kept: Kept) -> None:
    """There are no more spans then, and the log says why, once."""
    kept.is_broken = True
    with captured_log() as lines:
        assert await converse(trace.NoOpTracer(), traces={}) == "shipped"
    (failed,) = [line for line in lines if line["event"] == "traces_failed"]
    assert failed["reason"] == "the disk is full"


async def test_a_program_without_a_provider_is_told() -> None:
    """Its session goes on; spans that nobody takes cost next to nothing."""
    with captured_log() as lines, anyio.fail_after(PATIENCE_S):
        async with open_session(make_profile(endpoint={"kind": "local"}, traces={})) as session:
            assert await session.ask("Hello")
    (unheard,) = [line for line in lines if line["event"] == "traces_unheard"]
    assert "set_tracer_provider" in unheard["hint"]


async def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything connects."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    with pytest.raises(ProfileError, match="opentelemetry-api"):
        async with open_session(make_profile(endpoint={"kind": "local"}, traces={})):
            pass
