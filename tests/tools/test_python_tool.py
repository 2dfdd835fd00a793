"""Tools that are Python functions."""

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import ProfileError
from tests.helpers.log_capture import captured_log
from tests.helpers.tool_calls import called

pytestmark = pytest.mark.anyio

MODULE = '''
import asyncio, sys, threading, time
from datetime import date
from runner import ToolError

BLOCKED = threading.Event()

def find(order: str, since: date | None = None) -> dict:
    """Find an order."""
    return {"order": order, "since": since, "thread": threading.current_thread().name}

async def later(order: str) -> str:
    await asyncio.sleep(0)
    return "later " + order

def soon(order: str):
    return later(order)

async def hang():
    await asyncio.Event().wait()

def block():
    BLOCKED.wait()

def told():
    raise ToolError("There is no such order.")

def broken():
    raise KeyError("postgres://user:password@host")

async def cut_off():
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel()
    await task

def leave():
    sys.exit(3)

def odd():
    return object()

def raw():
    return b"a\\xff"

def nothing():
    pass

class Shop:
    def __call__(self, order: int) -> int:
        return order + 1

    @staticmethod
    def open() -> bool:
        return True

shop = Shop()

def positional(order, /):
    pass

no_function = 3
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a module of tools, which is forgotten afterwards."""
    (tmp_path / "shop_tools.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("shop_tools", None)
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


def function(folder: Path, name: str, **settings: Any) -> dict[str, Any]:
    """A tool that is a function of the module."""
    run = {"kind": "python", "function": f"shop_tools:{name}", "path": str(folder)}
    return {"name": "look_up", "run": run, **settings}


@pytest.mark.parametrize(
    ("name", "arguments", "outcome", "output"),
    [
        ("find", {"order": "7", "since": "2026-01-02"}, "ok",
         '{"order":"7","since":"2026-01-02","thread":"rt-run tool"}'),
        ("find", {"order": 7}, "invalid", "- order: 7 is not of type 'string'"),
        ("find", {"order": "7", "since": "soon"}, "invalid", "- since: Input should be a valid date"),
        ("later", {"order": "7"}, "ok", "later 7"),
        ("soon", {"order": "7"}, "ok", "later 7"),
        ("shop", {"order": 7}, "ok", "8"),
        ("Shop.open", {}, "ok", "true"),
        ("nothing", {}, "ok", "null"),
        ("raw", {}, "ok", "a\ufffd"),
        ("told", {}, "failed", "There is no such order."),
        ("broken", {}, "failed", "The tool failed with KeyError."),
        ("cut_off", {}, "failed", "The tool was cancelled."),
        ("leave", {}, "failed", "The tool failed with SystemExit."),
        ("odd", {}, "failed", "The tool returned something that is no JSON."),
    ],
)  # fmt: skip
async def test_a_function_is_called(
    folder: Path, name: str, arguments: dict[str, Any], outcome: str, output: str
) -> None:
    """With what its annotations ask for; what it returns or raises is an answer."""
    result = await called(function(folder, name), json.dumps(arguments))

    assert result.outcome == outcome
    assert result.output == output or (outcome == "invalid" and output in result.output)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_threads_are_waited_for_on_trio_too(folder: Path) -> None:
    """A program may run its sessions there."""
    result = await called(function(folder, "find"), '{"order": "7"}')

    assert json.loads(result.output)["thread"] == "rt-run tool"


async def test_what_a_function_raises_is_for_the_log(folder: Path) -> None:
    """With its traceback; the model gets no more than its kind."""
    with captured_log() as lines:
        await called(function(folder, "broken"))

    (error,) = [line["exc_info"] for line in lines if line["event"] == "tool_raised"]
    assert "password" in str(error)


@pytest.mark.parametrize("name", ["hang", "block"])
async def test_a_function_that_hangs_is_given_up(folder: Path, name: str) -> None:
    """A coroutine is cancelled; a thread is left to itself, and keeps the process from nothing."""
    result = await called(function(folder, name, timeout_s=0.05))

    assert result.outcome == "timed-out"
    left = [each for each in threading.enumerate() if each.name == "rt-run tool"]
    assert all(each.daemon for each in left)
    sys.modules["shop_tools"].BLOCKED.set()


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ({"function": "no_such_module:f"}, "no_such_module cannot be imported: ModuleNotFoundError"),
        ({"function": "shop_tools:missing"}, "there is no function missing in shop_tools"),
        ({"function": "shop_tools:no_function"}, "there is no function no_function in shop_tools"),
        ({"function": "shop_tools:positional"}, "the signature of look_up does not make a schema: order cannot be"),
        ({"function": "json:dumps"}, "json is imported from "),
    ],
)
async def test_a_function_that_is_not_there_ends_the_start(folder: Path, run: dict[str, Any], problem: str) -> None:
    """With the reason."""
    table = function(folder, "find")
    table["run"].update(run)

    with pytest.raises(ProfileError) as caught:
        await called(table)

    assert str(caught.value).startswith(f"the tool look_up: {problem}")
