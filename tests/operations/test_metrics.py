"""Metrics of real sessions, as Prometheus reads them."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from runner.operations.http_listener import observed
from runner.profile import LoadedProfile
from runner.profile.origins import Origins
from runner.runs.fleet import Fleet
from runner.settings.http import HttpSettings
from runner.settings.profile import ModelSettings
from tests.conftest import REPOSITORY
from tests.helpers.endpoint_scripts import PATIENCE_S, in_turn, reached
from tests.helpers.live_peer import close, start, words
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, profile_for, refusal, serving

prometheus = pytest.importorskip("prometheus_client", reason="needs the extra `metrics`")
parser = pytest.importorskip("prometheus_client.parser", reason="needs the extra `metrics`")

pytestmark = pytest.mark.anyio
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "rt-run.json"


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


class Scraped:
    """What one scrape has brought: numbers by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(parser.text_string_to_metric_families(text))
        self._samples = [sample for family in self.families for sample in family.samples]
        self.names = {sample.name for sample in self._samples}

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name and these labels."""
        found = [each for each in self._samples if each.name == name and labels.items() <= each.labels.items()]
        return sum(float(each.value) for each in found)


@asynccontextmanager
async def watched(port: int, **tables: Any) -> AsyncIterator[tuple[Fleet, Any]]:
    """A run of this endpoint that is open, and a way to scrape it."""
    profile = profile_for(port, **{"input": {"kind": "none"}, "outputs": [], **tables})
    fleet = Fleet([LoadedProfile(profile, "support", Path("support.toml"), Origins({}))], None, 1.0)
    with anyio.fail_after(PATIENCE_S), captured_log() as log:
        async with observed(fleet, HttpSettings(listen="127.0.0.1:0")), anyio.create_task_group() as tasks:
            listen = next(line["listen"] for line in log if line["event"] == "http_listening")
            tasks.start_soon(fleet.runs[0].execute)
            await reached(lambda: fleet.runs[0].phase == "live")

            async def scrape() -> Scraped:
                async with httpx.AsyncClient() as client:
                    answer = await client.get(f"http://{listen}/metrics")
                assert answer.headers["content-type"].startswith("text/plain; version=")
                return Scraped(answer.text)

            yield fleet, scrape
            tasks.cancel_scope.cancel()


async def test_what_a_session_does_is_counted() -> None:
    """A turn by voice that the user speaks over, a loss, an attempt that fails, and what all of it has used."""
    is_away, may_leave = False, anyio.Event()
    ids = {"response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0, "event_id": "e"}

    async def first(peer: Peer) -> None:
        nonlocal is_away
        await peer.greet()
        speech = {"event_id": "e", "item_id": "u1"}
        await peer.send({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **speech})
        await peer.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **speech})
        await peer.send({"type": "response.created", "event_id": "e", "response": {"id": "r1", "conversation_id": "c"}})
        await peer.send({"type": "response.output_audio.delta", "delta": "AAAA", **ids})
        await peer.send({"type": "response.output_audio_transcript.delta", "delta": "He", **ids})
        await peer.send(
            {"type": "input_audio_buffer.speech_started", "audio_start_ms": 2000, **speech, "item_id": "u2"}
        )
        usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"text_tokens": 4, "audio_tokens": 6}}
        await peer.end("He", response_id="r1", item_id="i1", status="cancelled", usage=usage)
        await may_leave.wait()
        is_away = True
        await peer.close(1011, "out of order")

    async def second(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    tables: dict[str, Any] = {
        "run": {
            "reconnect": {"max_attempts": 1000, "initial_delay_s": 0.01, "max_delay_s": 0.01},
            "until": "signal",
            "limits": {"prices": {"output_text": 1.0}},
        },
        "session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
        "tools": [{"name": "look_up", "run": {"kind": "command", "argv": ["true"]}}],
    }
    door = serving(in_turn(first, second), door=lambda _request: refusal(503) if is_away else None)
    async with door as (port, _), watched(port, **tables) as (fleet, scrape):
        run = fleet.runs[0]
        await reached(lambda: run.session is not None and run.session.usage.responses == 1)
        open_ = await scrape()
        may_leave.set()
        await reached(lambda: bool(getattr(run.whereabouts.place, "attempt", 0) > 2))
        away = await scrape()
        is_away = False
        await reached(lambda: run.whereabouts.between_since_s is None)
        back = await scrape()
        other = run.profile.model_copy(update={"model": ModelSettings(name="next")})
        run.adopt(other)
        adopted = await scrape()

    assert {family.name for family in open_.families if not family.documentation} == set()
    common = {"profile": "support", "model": "test"}
    assert open_("rt_run_sessions", state="open", **common) == 1
    assert open_("rt_run_connections_total", **common) == open_("rt_run_connect_seconds_count", **common) == 1
    assert open_("rt_run_speech_to_first_audio_seconds_count") == 1
    assert open_("rt_run_speech_to_first_text_seconds_count") == 1
    assert open_("rt_run_interruptions_total") == 1
    assert open_("rt_run_responses_total", status="cancelled") == 1
    assert open_("rt_run_tokens_total", direction="input", modality="audio") == 6
    assert open_("rt_run_tokens_total", direction="output", modality="text") == 5
    assert open_("rt_run_cost_total") == pytest.approx(5e-6)
    assert open_("rt_run_connections_lost_total") == 0
    assert away("rt_run_sessions", state="reconnecting") == 1
    assert away("rt_run_connections_lost_total", reason="busy") == 1
    assert away("rt_run_connection_attempts_failed_total") >= 1
    assert (back("rt_run_sessions", state="open"), back("rt_run_connections_total")) == (1, 2)
    assert adopted("rt_run_tokens_total", direction="input", modality="audio", model="test") == 6
    assert adopted("rt_run_tokens_total", direction="input", model="next") == 0
    assert (adopted("rt_run_sessions", model="test"), adopted("rt_run_sessions", model="next")) == (0, 1)
    _judge_dashboard(back)


def _judge_dashboard(scraped: Scraped) -> None:
    """Every name that a query of the dashboard uses is one that a process has."""
    queries = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    used = {name for query in queries for name in re.findall(r"\b(?:rt_run|process)_\w+", query)}
    assert used
    assert used <= scraped.names


async def test_what_earlier_processes_have_used_is_theirs(tmp_path: Path) -> None:
    """A session that goes on has used what it has used: a process counts its own part."""
    from runner.resume.opened_state import header_of
    from runner.resume.saved_state import first_line, line
    from runner.resume.state_model import StateChange

    async def peer(peer: Peer) -> None:
        await peer.greet()
        await peer.end("Hello", usage={"input_tokens": 3, "output_tokens": 2})
        await peer.to_the_end()

    change = StateChange(
        at_s=1.0, starts=1, session_id="s", usage={"support": {"responses": 7, "input_text_tokens": 100}}
    )
    (tmp_path / "state").write_bytes(first_line(header_of("support", {})) + line(change))
    run_settings = {"resume": {"path": str(tmp_path / "state")}, "until": "signal"}
    async with serving(in_turn(peer)) as (port, _), watched(port, run=run_settings) as (fleet, scrape):
        session = fleet.runs[0].session
        await reached(lambda: session is not None and session.usage.responses == 8)
        seen = await scrape()

    assert seen("rt_run_tokens_total", direction="input", modality="text") == 3


async def test_an_answer_of_a_live_session_that_is_spoken_over_is_counted() -> None:
    """No event of the endpoint tells of it."""

    async def script(peer: Peer) -> None:
        await start(peer)
        over = words("input", "Stop", 650, 900)
        await peer.send(words("output", "It will be", 0, 700), over, words("output", "I stop.", 1400, 1600))
        await close(peer)

    live = {"session": {"type": "live"}, "run": {"until": "signal"}}
    async with serving(script) as (port, _), watched(port, **live) as (fleet, scrape):
        run = fleet.runs[0]
        await reached(lambda: run.session is not None and run.session.usage.responses == 1)
        assert (await scrape())("rt_run_interruptions_total") == 1
