"""A run whose session a fallback carries on: what its status, its reload, its report and its metrics say."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.operations.metric_totals import MetricTotals
from runner.profile import LoadedProfile
from runner.profile.origins import Origins
from runner.profile.session_source import Fallback
from runner.runs.log_words import words_of
from runner.settings.profile import Profile
from tests.helpers.controlled_runs import NAME, controlled_runs, for_ever, obliging
from tests.helpers.endpoint_scripts import asked, logged, reached, told
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


async def refusing(peer: Peer) -> None:
    """Greet, answer one question, and refuse access at the next."""
    await peer.greet()
    await asked(peer)
    await peer.answer("first", item_id="i1", usage={"output_tokens": 1_000_000})
    await asked(peer)
    await peer.close(4003, "access denied")


def rereading(profile: Profile, fallbacks: tuple[Fallback, ...]) -> Callable[[], Sequence[LoadedProfile]]:
    """Reads this profile at a reload."""
    return lambda: [LoadedProfile(profile, NAME, Path("p.toml"), Origins({}), fallbacks=fallbacks)]


async def test_who_carries_a_session_is_told_everywhere(tmp_path: Path) -> None:
    """A reload changes what the fallback does, too, and a session moves to its own endpoint once that has changed."""

    def profile(port: int, instructions: str) -> Profile:
        session = {"instructions": instructions, "reasoning": {"effort": "low"}}
        limits = {"prices": {"output_text": 1.0}}
        model = {"name": "gpt-realtime-2"}
        report = {"path": str(tmp_path / "report.json")}
        return for_ever(port, session=session, model=model, report=report, run={"limits": limits})

    async with (
        serving(refusing) as (own_port, _),
        serving(obliging) as (west_port, west),
        serving(obliging) as (new_port, new),
    ):
        prices = {"limits": {"prices": {"output_text": 100.0}}}
        fallbacks = (Fallback("west", profile_for(west_port, model={"name": "gpt-realtime"}, run=prices)),)
        with captured_log() as lines:
            async with controlled_runs(tmp_path, profile(own_port, "Be kind"), fallbacks=fallbacks) as runs:
                (run,) = runs.fleet.runs
                totals = MetricTotals(runs.fleet)
                await runs.request("say", text="one")
                before = (await runs.request("status"))["sessions"][0]
                await runs.request("say", text="two")
                await reached(lambda: run.session and not run.session.state.busy and run.session.link)
                during = (await runs.request("status"))["sessions"][0]
                list(totals.collect())

                runs.fleet.reload_by(rereading(profile(own_port, "Be brief"), fallbacks), lambda _: None)
                in_place = await runs.request("reload")
                at_west = west[0].received[-1]
                runs.fleet.reload_by(rereading(profile(new_port, "Be brief"), fallbacks), lambda _: None)
                elsewhere = await runs.request("reload")
                await reached(lambda: run.session and run.session.epoch == 3)
                after = (await runs.request("status"))["sessions"][0]
                sums = {family.name: family.samples for family in totals.collect()}
                await runs.request("close")
                await reached(lambda: run.phase == "ended")

    assert [(each["provider"], each["connections"]) for each in (before, during, after)] == [
        (NAME, 1),
        ("west", 2),
        (NAME, 3),
    ]
    assert (before["status"], during["status"]) == ("open, 1 answer, 1.00 spent", "open on west, 2 answers, 1.00 spent")
    assert (in_place["moved"], elsewhere["moved"]) == (0, 0)
    assert at_west["session"] == {"type": "realtime", "instructions": "Be brief"}
    assert new[0].received[0]["session"]["reasoning"] == {"effort": "low"}
    assert told(new[0]) == [("user", "one"), ("assistant", "first"), ("user", "two"), ("assistant", "an answer")]

    states = {each.labels["model"] for each in sums["rt_run_sessions"] if each.value}
    costs = {each.labels["model"]: each.value for each in sums["rt_run_cost"] if each.name.endswith("_total")}
    assert (states, costs) == ({"gpt-realtime-2"}, {"gpt-realtime-2": 1.0, "gpt-realtime": 0.0})
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert [each["provider"] for each in report["connections"]] == [NAME, "west", NAME]
    assert report["cost"] == 1.0
    (failed,) = logged(lines, "provider_failed")
    assert words_of("warning", failed) == (
        f"{NAME} fails: the endpoint closed the session with 4003: access denied; west takes over"
    )
