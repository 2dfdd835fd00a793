"""Where log lines go, and what a program that uses the Python API notices of them."""

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
