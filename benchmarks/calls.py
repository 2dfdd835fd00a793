"""What a call of a tool takes beside the tool's own work."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import endpoint
from runner.profile import make_profile
from runner.profile.session_source import SessionProfile
from runner.protocol.json_fields import JsonObject
from runner.session.opening import kept_session
from runner.session.recorder import Recorder
from runner.settings.profile import Profile
from runner.settings.tool import CallSettings
from runner.tools.profile_tools import profile_sources
from runner.tools.python_tool import CallableTool
from runner.tools.tool_source import ToolSource
from runner.tools.toolbox import Toolbox, open_toolbox

_CALLS = 50
_CLOCK = ["date", "+%s%N"]
"""A program that prints the moment at which it runs, in nanoseconds."""
_SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
_ARGUMENTS = json.dumps({"order": "17"})


_PROFILE = """
version = 1
[endpoint]
kind = "local"
script = [{ match = "order", calls = [{ name = "order", arguments = { order = "17" } }] }]
"""


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """One comparison for each kind of tool, and one for a session whose endpoint is another process."""
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "calling.toml"
        profile.write_text(_PROFILE)
        with endpoint("--profile", str(profile), core=server_core) as base_url:
            yield [*_of_tools(), _of_a_session(base_url)]


def _of_a_session(base_url: str) -> Comparison:
    functions = {"async def": _async_function, "def": _sync_function}
    return Comparison(
        "From a response that calls a Python function to its output on the wire, p50",
        "ms",
        [
            Contender("a millisecond", lambda: 1.0),
            *(
                Contender(name, partial(anyio.run, _answered, base_url, function, backend_options={"use_uvloop": True}))
                for name, function in functions.items()
            ),
        ],
        [Claim(name, "a millisecond", at_most=1.0) for name in functions],
    )


def _of_tools() -> list[Comparison]:
    return [
        Comparison(
            "A call of a program",
            "",
            [Contender("subprocess.run", _bare), Contender("rt-run", partial(anyio.run, _program))],
            parts=[
                Part("start", "From the arguments of a call to its program, p50", "ms"),
                Part("end", "From a program to the result of its call, p50", "ms"),
            ],
        ),
        Comparison(
            "From the arguments of a call of a Python function to its result, p50",
            "ms",
            [
                Contender("async def", partial(anyio.run, _function, _async_function)),
                Contender("def", partial(anyio.run, _function, _sync_function)),
            ],
        ),
    ]


def _bare() -> Mapping[str, float]:
    moments = []
    for _ in range(_CALLS):
        began_ns = time.time_ns()
        text = subprocess.run(_CLOCK, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
        moments.append((began_ns, int(text), time.time_ns()))
    return _parts(moments)


async def _program() -> Mapping[str, float]:
    run = {"kind": "command", "argv": _CLOCK}
    tool = {"name": "tool", "description": "The time.", "parameters": _SCHEMA, "run": run, "log": "none"}
    profile = make_profile(endpoint={"kind": "local"}, tools=[tool])
    moments = []

    async def call(toolbox: Toolbox) -> None:
        began_ns = time.time_ns()
        result = await toolbox.call("tool", _ARGUMENTS, "call")
        moments.append((began_ns, int(result.output), time.time_ns()))

    await _called(profile_sources(profile), call)
    return _parts(moments)


async def _function(function: Callable[..., object]) -> float:
    taken_ms = []

    async def call(toolbox: Toolbox) -> None:
        began_s = time.perf_counter()
        await toolbox.call("tool", _ARGUMENTS, "call")
        taken_ms.append((time.perf_counter() - began_s) * 1000)

    await _called([CallableTool(function, "tool", CallSettings(log="none"))], call)
    return statistics.median(taken_ms)


async def _answered(base_url: str, function: Callable[..., object]) -> float:
    endpoint_table = {"kind": "custom", "base_url": base_url}
    tables = {"version": 1, "endpoint": endpoint_table, "model": {"name": "test"}}
    profile = Profile.model_validate({**tables, "session": {"output_modalities": ["text"]}})
    moments = _Moments()
    async with kept_session(SessionProfile(profile), recorder=moments) as session:
        session.tool(name="order")(function)
        for _ in range(_CALLS):
            await session.ask("order")
    return statistics.median(moments.taken_ms)


class _Moments(Recorder):
    """Notes how long after a response that calls something the output of the call goes out, in milliseconds."""

    def __init__(self) -> None:
        self.taken_ms: list[float] = []
        self._done_s = 0.0

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        if event["type"] == "response.done":
            self._done_s = time.perf_counter()

    def sent(self, event: JsonObject, *, epoch: int) -> None:
        if event.get("item", {}).get("type") == "function_call_output":
            self.taken_ms.append((time.perf_counter() - self._done_s) * 1000)

    def note(self, event: JsonObject, *, epoch: int) -> None:
        pass


async def _called(sources: list[ToolSource], call: Callable[[Toolbox], Awaitable[None]]) -> None:
    async with open_toolbox(sources) as toolbox:
        await toolbox.ready()
        for _ in range(_CALLS):
            await call(toolbox)


async def _async_function(order: str) -> str:
    return order


def _sync_function(order: str) -> str:
    return order


def _parts(moments: list[tuple[int, int, int]]) -> Mapping[str, float]:
    return {
        "start": statistics.median(at - began for began, at, _ in moments) / 1e6,
        "end": statistics.median(ended - at for _, at, ended in moments) / 1e6,
    }
