"""Opening what a profile writes to and plays on."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import OutputError, RunnerError
from runner.outputs.opener import open_outputs, placeholders
from runner.outputs.outputs import Outputs
from runner.outputs.standard_output import StandardOutput
from runner.protocol.effects import TurnEnded
from runner.protocol.session_update import session_update
from runner.session.update import Update
from tests.helpers.peer import profile_for

pytestmark = pytest.mark.anyio
NAMES = {"profile": "p", "run_id": "r", "started": "s", "session": "1", "row": "1"}
ANSWER = Update({"type": "x"}, (TurnEnded("assistant", "Hello", "item", "completed"),), 0.0, 1)


async def opened(outputs: Sequence[dict[str, Any]], failures: list[RunnerError], **tables: Any) -> Outputs:
    """The outputs of a profile, which fail into this list."""
    profile = profile_for(9, outputs=outputs, **tables)
    stdout, asked = StandardOutput(is_shared=False), session_update(profile)["session"]
    return await open_outputs(profile, NAMES, failures.append, stdout, asked=asked)


async def written(outputs: Outputs, *updates: Update) -> None:
    """Hand these updates to all readers, and write to the end."""
    async with anyio.create_task_group() as tasks:
        outputs.start(tasks)
        for update in updates:
            for read in outputs.readers:
                read(update)
        outputs.close()
        await outputs.written(anyio.CancelScope(), within_s=10)
        assert not outputs.unfinished
        tasks.cancel_scope.cancel()


async def test_every_file_has_its_placeholders_filled_in(tmp_path: Path) -> None:
    """Outputs of each kind and the journal; their folders are made."""
    kinds = ("events", "transcript", "audio")
    path = str(tmp_path / "{profile}" / "{run_id}-{session}-{started}")
    failures: list[RunnerError] = []
    outputs = await opened(
        [{"kind": kind, "path": f"{path}.{kind}"} for kind in kinds],
        failures,
        journal={"path": f"{path}.journal"},
    )
    await written(outputs, ANSWER)

    assert sorted(each.name for each in (tmp_path / "p").iterdir()) == [
        f"r-1-s.{kind}" for kind in ("audio", "events", "journal", "transcript")
    ]
    assert json.loads((tmp_path / "p" / "r-1-s.transcript").read_text())["text"] == "Hello"
    assert not failures


def test_placeholders_are_those_that_a_path_may_contain() -> None:
    """The start is in UTC, to the microsecond: two processes that start in one second write to two files."""
    values = placeholders("name", "run", 3, started=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))))

    assert set(values) == set(NAMES)
    assert (values["profile"], values["run_id"], values["session"]) == ("name", "run", "3")
    assert values["started"] == "20260101T010000.000000Z"


@pytest.mark.parametrize(
    ("output", "is_played"),
    [
        ({"kind": "audio", "track": "output"}, True),
        ({"kind": "audio", "track": "both"}, True),
        ({"kind": "audio", "track": "input"}, False),
        ({"kind": "events"}, False),
    ],
)
async def test_answers_are_played_where_an_output_plays_them(
    tmp_path: Path, output: dict[str, Any], is_played: bool
) -> None:
    """Without one there is no playback, and no session waits for it."""
    outputs = await opened([{"path": str(tmp_path / "o"), **output}], [])
    await written(outputs)

    assert (outputs.playback is not None) == is_played


async def test_what_cannot_be_opened_is_named_before_anything_connects(tmp_path: Path) -> None:
    """A text file, a recording and a journal alike."""
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "x")
    for outputs, tables, name in (
        ([{"kind": "events", "path": path}], {}, "output file"),
        ([{"kind": "audio", "path": path}], {}, "recording"),
        ([], {"journal": {"path": path}}, "journal"),
    ):
        with pytest.raises(OutputError, match=rf"^the {name} {path} cannot be opened: \w+"):
            await opened(outputs, [], **tables)


async def test_a_recording_has_the_rate_that_the_session_asks_for(tmp_path: Path) -> None:
    """The rate of `session.extra` included, which the wire asks for as well."""
    audio = {"output": {"format": {"type": "audio/pcm", "rate": 16_000}}}
    outputs = await opened([{"kind": "audio", "path": str(tmp_path / "o")}], [], session={"extra": {"audio": audio}})
    await written(outputs)

    assert int.from_bytes((tmp_path / "o").read_bytes()[24:28], "little") == 16_000
