"""What sessions live through: every fault, rollovers in the middle of speech, and crowds."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from benchmarks.endurance.cases import CASES
from benchmarks.endurance.crowd import drained, failing
from benchmarks.endurance.faults import all_tried
from benchmarks.endurance.rollovers import lived
from benchmarks.endurance.soak import soaked
from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from runner.protocol.effects import AudioDelta
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.endpoint import LocalEndpoint
from tests.helpers.peer import profile_for

PCM_BYTES_A_SECOND = 48_000
SPEECH = " ".join(f"This is sentence number {number} of a rather long answer." for number in range(8))


@pytest.mark.timeout(180)
def test_every_fault_ends_as_it_should() -> None:
    """The table of docs/reliability.md: what recovers, what is not even noticed, and the exit codes of the rest."""
    verdicts = anyio.run(all_tried, CASES)

    assert len(verdicts) >= 25
    assert {each.case.name: each.outcome for each in verdicts} == {case.name: case.outcome for case in CASES}


@pytest.mark.timeout(120)
def test_a_conversation_outlives_its_connections() -> None:
    """Each connection expires within seconds; every turn stands once and in order, here and at the endpoint."""
    found = anyio.run(lived, 6)

    assert found["rollovers"] >= 6
    assert (found["history_exact"], found["endpoint_exact"]) == (True, True)
    assert found["responses"] == found["turns"]


class Speaker:
    """Writes the audio that comes into a file, and notes when a listener would have had nothing to hear."""

    def __init__(self, path: Path) -> None:
        self.longest_gap_s = 0.0
        self._file = path.open("wb")
        self._heard_until_s = 0.0
        self._response = ""

    def take(self, update: Update) -> None:
        """Write a piece, and compare its time with the clock of somebody who listens."""
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                audio = effect.decode()
                self._file.write(audio)
                if effect.response_id == self._response:
                    self.longest_gap_s = max(self.longest_gap_s, update.at_s - self._heard_until_s)
                else:
                    self._response, self._heard_until_s = effect.response_id, update.at_s
                self._heard_until_s = max(self._heard_until_s, update.at_s) + len(audio) / PCM_BYTES_A_SECOND

    def close(self) -> None:
        """Close the file."""
        self._file.close()


async def spoken(path: Path, answers: int, *, life_s: float, margin_s: float) -> tuple[Speaker, int]:
    """Have so many long answers spoken without a pause; returns what was heard, and the number of connections."""
    speaker = Speaker(path)
    script = [{"match": "go", "reply": SPEECH}]
    endpoint = LocalEndpoint.model_validate(
        {"kind": "local", "script": script, "session_limit_s": life_s, "delta_interval_ms": 10}
    )
    tables = {"session": {"output_modalities": ["audio"]}, "run": {"rollover": {"margin_s": margin_s}}}
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, LocalApp(endpoint), "127.0.0.1", 0)
        async with open_session(profile_for(port, **tables), readers=[speaker.take]) as session:
            for _ in range(answers):
                await session.say("go")
                await session.wait_answered()
            connections = session.epoch
        tasks.cancel_scope.cancel()
    speaker.close()
    return speaker, connections


@pytest.mark.timeout(120)
def test_a_rollover_in_mid_audio_is_not_heard(tmp_path: Path) -> None:
    """Somebody speaks all the time, so each rollover comes due in mid-audio: no sample is lost, none comes twice."""

    async def both() -> Sequence[tuple[Speaker, int]]:
        reference = await spoken(tmp_path / "reference", 1, life_s=60, margin_s=0)
        return [reference, await spoken(tmp_path / "speech", 6, life_s=4, margin_s=2)]

    (_, one), (speaker, connections) = anyio.run(both)

    assert (one, connections >= 3) == (1, True)
    assert (tmp_path / "speech").read_bytes() == (tmp_path / "reference").read_bytes() * 6
    assert speaker.longest_gap_s <= 0.02


@pytest.mark.timeout(120)
def test_sessions_that_fail_leave_the_others_alone(tmp_path: Path) -> None:
    """A tenth is refused in mid-answer; all others answer and end well."""
    found = failing(tmp_path, 40)

    assert found == {"failed": 4, "exit_codes": {"77": 4, "0": 36}, "answered": 36, "took_s": found["took_s"]}


@pytest.mark.timeout(120)
def test_a_crowd_is_drained_by_one_signal(tmp_path: Path) -> None:
    """All sessions of a process end well within the grace period."""
    found = drained(tmp_path, 40)

    assert (found["exit_code"], found["closed_well"]) == (0, 40)


@pytest.mark.timeout(120)
def test_nothing_is_left_of_conversations_in_faults() -> None:
    """A short soak: every turn is answered once, and afterwards no task and no socket remains."""
    found = anyio.run(soaked, 0.2, 8)

    assert found["turns"] > 8
    assert (found["wrong"], found["failed"], found["afterwards"]["tasks"]) == (0, 0, 1)
