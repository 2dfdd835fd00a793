"""Twenty calls with faults, as a real Prometheus sees them, beside what their journals say."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.command_process import Command, profile

PROMETHEUS, PROMTOOL = (shutil.which(name) for name in ("prometheus", "promtool"))
SESSIONS = 20
QUESTION = """
[endpoint]
kind = "local"
script = [{ match = ".*", reply = "When are you open?" }]
[session]
output_modalities = ["audio"]
[[outputs]]
kind = "audio"
path = "question.wav"
"""
CALLS = f"""
[endpoint]
kind = "local"
faults = [{{ kind = "drop", after_events = 40 }}]
script = [
  {{ match = "open", calls = [{{ name = "hours" }}] }},
  {{ output = "nine", reply = "From nine to six. Is there anything else?" }},
]
[session]
output_modalities = ["audio"]
[session.audio.input]
transcription = {{ model = "local" }}
turn_detection = {{ type = "server_vad", silence_duration_ms = 2000 }}
[[tools]]
name = "hours"
run = {{ kind = "command", argv = ["echo", "nine"] }}
[input]
kind = "file"
path = "../question.wav"
[run]
sessions = {SESSIONS}
until = "signal"
[run.limits]
prices = {{ input_text = 4.0, output_text = 16.0, input_audio = 32.0, output_audio = 64.0 }}
[http]
listen = "127.0.0.1:0"
[journal]
path = "journal/{{session}}.jsonl"
"""
SCRAPED = """
global: {{ scrape_interval: 500ms }}
scrape_configs:
  - job_name: rt-run
    static_configs: [{{ targets: ["{listen}"] }}]
"""


@pytest.mark.long
@pytest.mark.skipif(None in {PROMETHEUS, PROMTOOL}, reason="needs Prometheus (Debian's package prometheus)")
def test_prometheus_agrees_with_the_journals(tmp_path: Path) -> None:
    """The metrics have no fault, every query of the dashboard has an answer, and the sums are those of the reports."""
    asked = Command("--profile", profile(tmp_path, QUESTION, name="question"), "--ask", "?", folder=tmp_path).end()
    assert asked.code == 0, asked.stderr
    calls = Command("--profile", profile(tmp_path, CALLS, name="calls"), folder=tmp_path)
    try:
        calls.wait_for_log("http_listening")
        listen = re.search(r'"listen": "([\d.:]+)"', calls.logged_so_far)
        assert listen
        with scraping(tmp_path, listen[1]) as query:
            while query('sum(rt_run_responses_total{status="completed"})') != 2 * SESSIONS:
                assert calls.process.poll() is None, "it was killed for taking so long"
                time.sleep(0.5)
            metrics = httpx.get(f"http://{listen[1]}/metrics").text
            checked = subprocess.run(
                [str(PROMTOOL), "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
            )
            assert (checked.returncode, checked.stderr) == (0, "")
            unanswered = [each for each in dashboard() if query(each) is None]
            assert unanswered == []
            names = ("connections_total", "connections_lost_total", "tool_calls_total", "cost_total")
            sums = {name: query(f"sum(rt_run_{name})") for name in names}
            sums["user turns"] = query('sum(rt_run_turns_total{role="user"})')
            sums["answers"] = query('sum(rt_run_responses_total{status="completed"})')
            for direction, modality in (("input", "text"), ("input", "audio"), ("output", "text"), ("output", "audio")):
                name = f"{direction}_{modality}_tokens"
                sums[name] = query(f'sum(rt_run_tokens_total{{direction="{direction}", modality="{modality}"}})')
        calls.send_signal(signal.SIGTERM)
        ended = calls.end()
    finally:
        calls.process.kill()
    assert ended.code == 0, ended.stderr

    journals = sorted(str(path) for path in (tmp_path / "journal").glob("*.jsonl"))
    told = Command("replay", "--report", *journals, folder=tmp_path).end()
    reports = [json.loads(line) for line in told.stdout.splitlines()]
    cost = sums.pop("cost_total")
    assert len(reports) == SESSIONS
    assert sums == summed(reports)
    assert cost == pytest.approx(priced(sums))


def dashboard() -> list[str]:
    """The queries of the dashboard, for all profiles and models."""
    board = json.loads((REPOSITORY / "deploy" / "grafana" / "rt-run.json").read_text())
    queries = [each["expr"] for panel in board["panels"] for each in panel.get("targets", ())]
    assert len(queries) > 20
    return [re.sub(r"\$(profile|model)", ".*", each).replace("$__rate_interval", "1m") for each in queries]


@contextmanager
def scraping(folder: Path, listen: str) -> Iterator[Any]:
    """A Prometheus that scrapes this address, and a way to ask it; what it does not know is None."""
    (folder / "prometheus.yml").write_text(SCRAPED.format(listen=listen))
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    log = (folder / "prometheus.log").open("w")
    server = subprocess.Popen([str(PROMETHEUS), *flags, "--web.listen-address=127.0.0.1:19477"], stderr=log)

    def query(expression: str) -> float | None:
        try:
            response = httpx.get("http://127.0.0.1:19477/api/v1/query", params={"query": expression})
        except httpx.TransportError:
            return None
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None  # it is still opening
        answer = response.json()
        assert answer["status"] == "success", answer
        found = [float(each["value"][1]) for each in answer["data"]["result"]]
        return sum(found) if found else None

    try:
        yield query
    finally:
        server.terminate()
        server.wait()
        log.close()


def summed(reports: list[dict[str, Any]]) -> dict[str, float]:
    """The same sums, of what the reports of the journals say."""
    connections = [each for report in reports for each in report["connections"]]
    turns = [each for report in reports for each in report["turns"]]
    usage = [report["usage"] for report in reports]
    tokens = ("input_text_tokens", "input_audio_tokens", "output_text_tokens", "output_audio_tokens")
    return {
        "connections_total": len(connections),
        "connections_lost_total": sum(each["ended_by"] == "endpoint" for each in connections),
        "tool_calls_total": sum(len(report["calls"]) for report in reports),
        "user turns": sum(each["role"] == "user" for each in turns),
        # Those that call a function say nothing.
        "answers": sum(each.get("status") == "completed" for each in turns)
        + sum(len(report["calls"]) for report in reports),
        **{name: sum(each.get(name, 0) for each in usage) for name in tokens},
    }


def priced(sums: dict[str, Any]) -> float:
    """What so many tokens cost."""
    prices = {"input_text": 4.0, "output_text": 16.0, "input_audio": 32.0, "output_audio": 64.0}
    return sum(float(price * sums[f"{name}_tokens"]) for name, price in prices.items()) / 1_000_000
