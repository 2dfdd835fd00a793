"""The judges of scenarios: a text model behind a real HTTP server says which criteria a conversation meets."""

import json
from pathlib import Path

import pytest

from runner.errors import AccessRefused, ProtocolError
from runner.profile import make_profile
from runner.scenarios.model_judge import judge_missing, unmet_criteria
from runner.scenarios.scenario import JudgeSettings
from runner.settings.continuity import Reconnect
from runner.settings.profile import Profile
from tests.helpers.chat_server import ChatServer, chat_server
from tests.helpers.scenario_trials import verdicts

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

CRITERIA = ["The agent greets.", "The agent asks for the name."]
JUDGE = JudgeSettings(model="small-2026-01-31", date="2026-02-03", criteria=CRITERIA)
SCENARIO = f"""
version = 1
profile = "desk"
[[turns]]
expect = [{{ text_contains = ["Good day"] }}]
[[judge]]
model = "small-2026-01-31"
date = "2026-02-03"
criteria = {json.dumps(CRITERIA)}
"""


def ruled(*rulings: tuple[bool, str], text: str = "{}") -> bytes:
    """A model's answer: whether each criterion is met, and why; the last one first."""
    rows = [
        {"number": number, "reason": reason, "is_met": is_met}
        for number, (is_met, reason) in enumerate(rulings, start=1)
    ]
    content = text.replace("{}", json.dumps({"rulings": rows[::-1]}))
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


GOOD = ruled((True, "Line 2."), (True, "Line 2."))


def profile_for(server: ChatServer) -> Profile:
    """A profile whose endpoint is this server."""
    where = {"kind": "custom", "base_url": f"http://127.0.0.1:{server.port}/v1"}
    return make_profile(endpoint=where, model={"name": "realtime"})


async def test_criteria_that_are_not_met_fail_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the judge is asked for, and nothing else is wrong; it is told all that was said, and the day."""
    monkeypatch.setenv("DESK_KEY", "k-123456")
    path = tmp_path / "scenarios" / "desk.toml"
    path.parent.mkdir()
    path.write_text(SCENARIO)
    bad = ruled((True, "Line 2."), (False, 'It only says "Good day".'))
    async with chat_server(bad, ruled((True, ""), (True, ""), text="```json\n{}\n```")) as server:
        (tmp_path / "desk.toml").write_text(
            f'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:{server.port}/v1"\n'
            '[auth]\nkind = "api-key"\napi_key = { env = "DESK_KEY" }\n[model]\nname = "realtime"\n'
            '[session]\noutput_modalities = ["text"]\n[greeting]\ntext = "Good day"\n'
        )
        (unasked,) = await verdicts(tmp_path, path)
        (unmet,) = await verdicts(tmp_path, path, asks_judges=True)
        (met,) = await verdicts(tmp_path, path, asks_judges=True)
        (worse,) = await verdicts(tmp_path, path, sets=['greeting.text="Bye"'], asks_judges=True)

    assert (unasked.verdict, met.verdict, met.problems) == ("passed", "passed", [])
    assert unmet.verdict == "failed"
    assert unmet.problems == [
        'judge small-2026-01-31: "The agent asks for the name." is not met: It only says "Good day".'
    ]
    assert (worse.verdict, len(server.requests)) == ("failed", 2)
    asked = server.requests[0]
    assert asked["model"] == "small-2026-01-31"
    assert asked["response_format"]["json_schema"]["strict"]
    task, material = (each["content"] for each in asked["messages"])
    assert "Today is 2026-02-03." in task
    assert json.loads(material)["conversation"] == ["agent: Good day"]
    assert [each["criterion"] for each in json.loads(material)["criteria"]] == CRITERIA
    assert server.headers[0][""] == "POST /v1/chat/completions HTTP/1.1"
    assert server.headers[0]["authorization"] == "Bearer k-123456"


async def test_a_judge_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more than twice; the server of a local brain judges as well."""
    monkeypatch.setattr("runner.scenarios.model_judge._ATTEMPTS", Reconnect(max_attempts=2, initial_delay_s=0.001))
    async with chat_server((503, b"{}"), (429, b"{}"), GOOD) as server:
        profile = make_profile(endpoint={"kind": "local", "brain": server.brain})
        assert await unmet_criteria(profile, [JUDGE], []) == []

    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (
            (401, b'{"error": {"message": "no such key"}}'),
            AccessRefused,
            "the endpoint refused to judge with HTTP 401: no such key",
        ),
        (b"{}", ProtocolError, "small-2026-01-31 has not judged each criterion"),
        (ruled((True, "")), ProtocolError, "has not judged each criterion"),
        (ruled((True, ""), (True, ""), text="Well."), ProtocolError, "has not judged each criterion"),
    ],
)
async def test_no_judgement_is_an_error(answer: bytes | tuple[int, bytes], error: type[Exception], told: str) -> None:
    """A refusal, and an answer that leaves a criterion out; it is never taken for one that is met."""
    async with chat_server(answer) as server:
        with pytest.raises(error, match=told):
            await unmet_criteria(profile_for(server), [JUDGE], ["user: Hello"])


async def test_a_scenario_without_its_judge_is_not_run(tmp_path: Path) -> None:
    """The local endpoint has no text model, and the verdict says how it gets one."""
    (tmp_path / "desk.toml").write_text('version = 1\n[endpoint]\nkind = "local"\n[greeting]\ntext = "Good day"\n')
    path = tmp_path / "scenarios" / "desk.toml"
    path.parent.mkdir()
    path.write_text(SCENARIO)
    (verdict,) = await verdicts(tmp_path, path, asks_judges=True)

    assert (verdict.verdict, verdict.problems) == ("not-run", [judge_missing(make_profile(endpoint={"kind": "local"}))])
