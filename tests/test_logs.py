"""Where log lines go, and what a program that uses the Python API notices of them."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from runner import load_profile, logs, open_session, redaction
from tests.helpers.log_capture import log_restored


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Leave no hidden word behind."""
    with log_restored():
        yield


PROFILE = """version = 1
[endpoint]
kind = "local"
[model]
name = "local"
[session]
output_modalities = ["text"]
"""


def profile(folder: Path) -> Any:
    """A profile of the local endpoint that answers in text."""
    (folder / "p.toml").write_text(PROFILE)
    return load_profile(str(folder / "p.toml"))


@pytest.mark.anyio
async def test_a_session_leaves_structlog_as_its_program_has_it(tmp_path: Path) -> None:
    """Neither the configuration nor the context variables of the host program are written."""
    structlog.contextvars.bind_contextvars(session_id="of the host")
    before = structlog.get_config()

    try:
        async with open_session(profile(tmp_path)) as session:
            await session.say("Hello")
            inside = structlog.contextvars.get_contextvars()

        assert inside == structlog.contextvars.get_contextvars() == {"session_id": "of the host"}
        assert (structlog.get_config(), structlog.is_configured()) == (before, False)
    finally:
        structlog.contextvars.clear_contextvars()


def test_lines_of_the_library_go_to_the_logging_of_its_program(caplog: pytest.LogCaptureFixture) -> None:
    """Under the name `rt_run`, each as one text without secrets, and without what structlog has bound elsewhere."""
    secret = "made-up-secret-of-a-host"
    redaction.hide(secret)
    structlog.contextvars.bind_contextvars(request="of the host")
    try:
        with logs.bound(session_id="sess_1"), caplog.at_level(logging.INFO, "rt_run"):
            logs.logger().info("session_opened", model=f"m {secret}", name="x")
            logs.logger().debug("unseen")
        with pytest.raises(ZeroDivisionError) as caught:
            _ = 1 / 0
        logs.logger().error("internal_error", exc_info=caught.value)
    finally:
        structlog.contextvars.clear_contextvars()

    opened, failed = caplog.records
    assert (opened.name, opened.levelname) == ("rt_run", "INFO")
    assert opened.getMessage() == "session_opened session_id='sess_1' model='m [hidden]' name='x'"
    assert failed.getMessage().startswith("internal_error\nTraceback (most recent call last):\n")
    assert failed.getMessage().endswith("ZeroDivisionError: division by zero")


def test_a_program_without_settings_of_its_own_hears_of_trouble_only() -> None:
    """Python's own default: warnings and errors."""
    written = [logging.getLogger("rt_run").isEnabledFor(level) for level in (logging.INFO, logging.WARNING)]

    assert written == [False, True]


@pytest.mark.anyio
async def test_keys_hold_for_a_block_or_a_task() -> None:
    """What a task binds is its own; what a block binds ends with it, and what was bound outside is there again."""
    seen: dict[str, Any] = {}

    async def bind(name: str) -> None:
        logs.bind(session=name)
        await anyio.lowlevel.checkpoint()
        seen[name] = dict(logs.context())

    with logs.bound(run_id="r1", session="outer"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bind, "a")
            tasks.start_soon(bind, "b")
        with logs.bound(session="inner"):
            seen["inner"] = dict(logs.context())
        seen["outer"] = dict(logs.context())

    assert seen == {name: {"run_id": "r1", "session": name} for name in ("a", "b", "inner", "outer")}
    assert logs.context() == {}


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_keys_stand_in_one_order() -> None:
    """Time, level, event and ids come first, whatever the order in which they were bound; then the rest as given."""
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    with logs.bound(epoch=2, session_id="s", run_id="r"), logs.bound(profile="p"):
        logs.logger().info("one", zebra=1, ant=2)
    with logs.bound(profile="p", run_id="r"), logs.bound(session_id="s", epoch=2):
        logs.logger().info("two", zebra=1, ant=2)

    first = ["timestamp", "level", "event", "profile", "run_id", "session_id", "epoch", "zebra", "ant"]
    assert [list(line) for line in written(stream)] == [first, first]


def test_a_line_is_bounded_whatever_it_is_about() -> None:
    """Texts, ids, keys, lists and tracebacks are cut; numbers are not."""
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    huge = "x" * 10_000_000
    with logs.bound(session_id=huge):
        logs.logger().info("e", text=huge, id=huge, nested={huge: [huge] * 3}, many=["y"] * 5000, number=10**400)
    logs.logger().error("f", exc_info=ValueError(huge))

    line, traced = written(stream)
    assert (len(line["session_id"]), len(line["id"]), len(line["text"])) == (128, 128, 1000)
    assert [(len(key), [len(each) for each in value]) for key, value in line["nested"].items()] == [(128, [1000] * 3)]
    assert (len(line["many"]), line["number"]) == (1000, 10**400)
    assert len(traced["exception"]) < 21_000


@pytest.mark.parametrize("place", range(980, 1000, 4))
def test_a_secret_is_masked_before_a_line_is_cut(place: int) -> None:
    """Wherever it stands, no part of it is left."""
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    redaction.hide("made-up-secret-of-a-test")
    logs.logger().info("e", text="." * place + "made-up-secret-of-a-test")

    assert "made" not in stream.getvalue()


def test_the_first_session_id_stays() -> None:
    """Later connections of a session do not rename its lines."""
    with logs.bound(run_id="r"):
        logs.introduce("first")
        logs.introduce("second")

        assert logs.context() == {"run_id": "r", "session_id": "first"}
