"""Runs of scenarios: each is a session of its own, whose verdict follows from what happened in it."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.to_thread

from runner.append_file import make_folder
from runner.errors import RunnerError, reason_of
from runner.profile.filling import file_name
from runner.protocol.json_text import dumps
from runner.runs.lone_run import lone_shared
from runner.runs.session_run import SessionRun
from runner.scenarios.judgement import judged, transcript
from runner.scenarios.model_judge import judge_missing, unmet_criteria
from runner.scenarios.observations import Observations
from runner.scenarios.rehearsal import rehearsed
from runner.scenarios.scenario_input import ScenarioInput
from runner.scenarios.scenario_limits import recorded_report, too_expensive, too_late
from runner.settings.endpoint import LocalEndpoint
from runner.task_groups import body_task_group
from runner.tools.answered_source import KnownAnswer, answered_sources
from runner.tools.tool_source import CallAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.runs.outcome import Outcome
    from runner.scenarios.scenario import AnsweredCall, Scenario
    from runner.scenarios.scenario_file import LoadedScenario
    from runner.tools.profile_tools import MakeSources

VerdictKind = Literal["passed", "failed", "not-run"]


@dataclass
class ScenarioVerdict:
    """What has become of a scenario, over all its runs."""

    name: str
    profile: str
    verdict: VerdictKind = "passed"
    runs: int = 0
    passed: int = 0
    """How many of the runs have passed."""
    problems: list[str] = field(default_factory=list)
    """What is wrong, of the first run that has not passed; and of all runs together."""
    transcript: list[str] = field(default_factory=list)
    """What was said and called in that run, or in the slowest where all together are too late, a line each."""
    journal: str = ""
    """The journal of that run."""
    duration_s: float = 0.0


@dataclass
class _Run:
    """One run of a scenario."""

    verdict: VerdictKind
    problems: list[str]
    seen: Observations
    journal: str = ""
    first_audio_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ScenarioRuns:
    """Runs scenarios, each as often as is asked for, and several at once.

    Args:
        repeat: How often each runs.
        jobs: How many sessions there are at once.
        is_local: Whether the local endpoint takes the place of the profiles' own.
        counts_limits: Whether limits on time and cost count.
        folder: Where the journals of runs are kept that have not passed.
        asks_judges: Whether the scenarios' judges are asked, about runs with which nothing else is wrong.
    """

    repeat: int
    jobs: int
    is_local: bool
    counts_limits: bool
    folder: Path
    asks_judges: bool = False

    async def execute(
        self, scenarios: Sequence[LoadedScenario], tell: Callable[[ScenarioVerdict], None]
    ) -> list[ScenarioVerdict]:
        """Run all scenarios; their verdicts are told, and returned, in the order of the scenarios.

        Args:
            scenarios: The scenarios.
            tell: Called with each verdict as soon as those before it are told.
        """
        verdicts: list[ScenarioVerdict] = []
        slots = anyio.Semaphore(self.jobs)
        ended = [anyio.Event() for _ in scenarios]
        found: dict[int, ScenarioVerdict] = {}

        async def execute_one(index: int, each: LoadedScenario) -> None:
            found[index] = await self._verdict(each, slots)
            ended[index].set()

        async with body_task_group() as tasks:
            for index, each in enumerate(scenarios):
                tasks.start_soon(execute_one, index, each)
            for index, end in enumerate(ended):
                await end.wait()
                verdicts.append(found[index])
                tell(found[index])
        return verdicts

    async def _verdict(self, each: LoadedScenario, slots: anyio.Semaphore) -> ScenarioVerdict:
        runs: list[_Run] = []
        verdict = ScenarioVerdict(each.name, each.loaded.name, runs=self.repeat)

        async def execute_one(number: int) -> None:
            async with slots:
                started_s = anyio.current_time()
                runs.append(await self._run(each, number))
                verdict.duration_s += anyio.current_time() - started_s

        async with anyio.create_task_group() as tasks:
            for number in range(1, self.repeat + 1):
                tasks.start_soon(execute_one, number)
        verdict.passed = sum(run.verdict == "passed" for run in runs)
        least = math.ceil(each.scenario.pass_rate * self.repeat - 1e-9)
        if bad := next((run for kind in ("failed", "not-run") for run in runs if run.verdict == kind), None):
            verdict.problems, verdict.transcript, verdict.journal = bad.problems, transcript(bad.seen), bad.journal
            if verdict.passed < least:
                verdict.verdict = bad.verdict
        first_audio_s = [at_s for run in runs for at_s in run.first_audio_s]
        # A limit says nothing of sessions that there were not.
        counts_limits = self.counts_limits and any(run.verdict != "not-run" for run in runs)
        if counts_limits and (late := too_late(each.scenario, first_audio_s)):
            verdict.verdict = "failed"
            verdict.problems = [*verdict.problems, *late]
            if bad is None:
                slowest = max(runs, key=lambda run: max(run.first_audio_s, default=0.0))
                verdict.transcript, verdict.journal = transcript(slowest.seen), slowest.journal
        return verdict

    async def _run(self, each: LoadedScenario, number: int) -> _Run:
        if not self.is_local and (reason := _needs_local(each)):
            return _Run("not-run", [reason], Observations())
        if self.asks_judges and each.scenario.judge and (reason := judge_missing(each.loaded.profile)):
            return _Run("not-run", [reason], Observations())
        try:
            work = Path(await anyio.to_thread.run_sync(partial(tempfile.mkdtemp, prefix="rt-run-test-")))
        except OSError as error:
            return _Run("not-run", [f"there is no folder for its journal: {reason_of(error)}"], Observations())
        kept = self.folder / f"{file_name(each.name)}-{number}"
        try:
            run = await self._session(each, work)
            # All runs together may be too late where one of them is.
            if run.verdict != "passed" or (self.counts_limits and too_late(each.scenario, run.first_audio_s)):
                await anyio.to_thread.run_sync(_keep, run, work, kept)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(partial(shutil.rmtree, work, ignore_errors=True))
        return run

    async def _session(self, each: LoadedScenario, work: Path) -> _Run:
        scenario, seen = each.scenario, Observations()
        run = SessionRun(
            rehearsed(each.loaded, scenario, work, is_local=self.is_local),
            1,
            lone_shared(input=ScenarioInput(scenario, seen), sources=_sources(scenario.tool_results)),
            lambda _before, _after: None,
        )
        run.readers.append(seen.read)
        outcome = await run.execute()
        if not outcome.session_id and outcome.error is not None:
            return _Run("not-run", [_told(outcome.error)], seen)
        problems = judged(scenario, seen, reason=outcome.reason, counts_time=self.counts_limits)
        problems += _failure(scenario, outcome)
        report = await anyio.to_thread.run_sync(recorded_report, work / "session.jsonl", run.profile)
        first_audio_s = [each.first_audio_s for each in report.turns if each.first_audio_s is not None]
        if self.counts_limits:
            problems += too_expensive(scenario, report)
        if self.asks_judges and not problems:
            try:
                problems = await unmet_criteria(each.loaded.profile, scenario.judge, transcript(seen))
            except RunnerError as error:
                return _Run("not-run", [f"judge: {_told(error)}"], seen)
        return _Run("failed" if problems else "passed", problems, seen, first_audio_s=first_audio_s)


def exit_code(verdicts: Iterable[ScenarioVerdict]) -> int:
    """0 if all have passed, 1 if one has failed, 3 if none has failed and one was not run."""
    kinds = {each.verdict for each in verdicts}
    return 1 if "failed" in kinds else 3 if "not-run" in kinds else 0


def _sources(results: Mapping[str, AnsweredCall | list[AnsweredCall]]) -> MakeSources | None:
    """Makes the tools that a scenario answers for, None where it answers for none."""
    answers = {
        name: [
            KnownAnswer(
                each.arguments,
                CallAnswer(each.output if isinstance(each.output, str) else dumps(each.output), is_failed=each.fails),
            )
            for each in (given if isinstance(given, list) else [given])
        ]
        for name, given in results.items()
    }
    return partial(answered_sources, answers=answers) if answers else None


def _failure(scenario: Scenario, outcome: Outcome) -> list[str]:
    """What is wrong with how a session ended, unless it is expected to fail."""
    is_expected = scenario.end is not None and scenario.end.reason == outcome.reason == "failed"
    return [f"the session has failed: {_told(outcome.error)}"] if outcome.error and not is_expected else []


def _told(error: RunnerError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _needs_local(each: LoadedScenario) -> str:
    """Why a scenario cannot run at its profile's own endpoint; nothing where it can."""
    endpoint, scenario = each.loaded.profile.endpoint, each.scenario
    hears_tones = isinstance(endpoint, LocalEndpoint) and endpoint.speech == "simulated"
    if any(turn.spoken is True for turn in scenario.turns) and not hears_tones:
        return 'only the local endpoint understands the synthetic voice; say `spoken = "model"`, or play a recording'
    if any(turn.spoken == "model" for turn in scenario.turns) and hears_tones:
        return 'the local endpoint understands `spoken = "model"` with `endpoint.speech = "models"`'
    if scenario.faults:
        return "`faults` go wrong at the local endpoint that takes the place of the profile's"
    return ""


def _keep(run: _Run, work: Path, kept: Path) -> None:
    """Keep the files of a run in place of those of an earlier one; a run of which they cannot be kept says so."""
    try:
        make_folder(kept.parent)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(work, kept)
        run.journal = str(kept / "session.jsonl")
    except OSError as error:
        run.problems.append(f"the journal cannot be kept in {kept}: {reason_of(error)}")
