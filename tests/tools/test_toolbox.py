"""A toolbox offers tools, runs their calls within limits, and has an answer to each."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner import redaction
from runner.errors import ProfileError, RunnerError
from runner.profile import make_profile
from runner.settings.tool import CallSettings
from runner.tools.call_arguments import UnfitArguments
from runner.tools.profile_tools import profile_sources
from runner.tools.tool_result import ToolResult
from runner.tools.tool_source import NO_ARGUMENTS, CallAnswer, JsonObject, OfferedTool
from runner.tools.toolbox import Toolbox, open_toolbox
from tests.helpers.log_capture import captured_log
from tests.helpers.virtual_time import in_virtual_time

Answering = Callable[[int], Awaitable[CallAnswer]]


class Source:
    """A source of tools that the test answers for; each attempt of a call has a number.

    Args:
        answer: What comes of an attempt.
        names: What it offers.
        opening: Awaited before it is open.
        is_client: Whether its calls are answered elsewhere.
        limits: The limits of its calls.
    """

    def __init__(
        self,
        answer: Answering | None = None,
        *,
        names: Sequence[str] = ("look_up",),
        opening: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint,
        is_client: bool = False,
        **limits: Any,
    ) -> None:
        self._answer = answer
        self._names = names
        self._opening = opening
        self._is_client = is_client
        self._limits = CallSettings(**limits)
        self.attempts = 0
        self.most_at_once = 0
        self._at_once = 0
        self.is_closed = False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Be open."""
        await self._opening()
        try:
            yield
        finally:
            self.is_closed = True

    def tools(self) -> Sequence[OfferedTool]:
        """All tools."""
        return [OfferedTool(each, "", NO_ARGUMENTS, self._limits, is_client=self._is_client) for each in self._names]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """The answer of the test."""
        self.attempts += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(self.attempts) if self._answer else CallAnswer(name)
        finally:
            self._at_once -= 1


def calls(source: Source, count: int = 1, arguments: str = "") -> list[ToolResult]:
    """The results of calls that are made at once, in virtual time."""
    results: list[ToolResult] = []

    async def call(toolbox: Toolbox) -> None:
        results.append(await toolbox.call("look_up", arguments, "call_1"))

    async def main() -> None:
        async with open_toolbox([source]) as toolbox:
            await toolbox.ready()
            async with anyio.create_task_group() as tasks:
                for _ in range(count):
                    tasks.start_soon(call, toolbox)

    in_virtual_time(main)
    return results


def test_each_name_is_offered_once_and_sources_open_beside_each_other() -> None:
    """What opens slowly holds up neither the others nor the toolbox; all are closed with it."""
    sources = [Source(opening=lambda: anyio.sleep(1)), Source(names=["look_up", "other"], is_client=True)]

    async def main() -> tuple[list[Any], float]:
        async with open_toolbox(sources) as toolbox:
            began_s = anyio.current_time()
            await toolbox.ready()
            client = toolbox.find("other")
            assert client is not None
            assert client.is_client
            assert toolbox.find("unknown") is None
            return toolbox.definitions(), anyio.current_time() - began_s

    definitions, opened_s = in_virtual_time(main)

    assert [each["name"] for each in definitions] == ["look_up", "other"]
    assert definitions[0] == {"type": "function", "name": "look_up", "parameters": NO_ARGUMENTS}
    assert opened_s == pytest.approx(1)
    assert all(each.is_closed for each in sources)


def test_a_source_that_cannot_open_ends_the_wait_for_it() -> None:
    """Whoever waits learns why."""

    async def fail() -> None:
        raise ProfileError("no such function")

    async def main() -> None:
        async with open_toolbox([Source(opening=fail)]) as toolbox:
            await toolbox.ready()

    with pytest.raises(RunnerError, match="no such function"):
        in_virtual_time(main)


def test_a_source_that_breaks_later_ends_no_session() -> None:
    """Its tools are answered for by their calls."""

    class Breaking(Source):
        @asynccontextmanager
        async def serving(self) -> AsyncIterator[None]:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._break)
                yield

        async def _break(self) -> None:
            await anyio.sleep(1)
            raise RuntimeError

    async def main() -> ToolResult:
        async with open_toolbox([Breaking()]) as toolbox:
            await toolbox.ready()
            await anyio.sleep(2)
            return await toolbox.call("look_up", "", "call_1")

    with captured_log() as lines:
        result = in_virtual_time(main)

    assert (result.outcome, lines[0]["event"]) == ("ok", "tool_source_broken")


def test_other_sources_take_over_and_calls_end_with_theirs() -> None:
    """One that stays is not opened again, one that goes is closed after its calls, one that fails changes nothing."""

    async def late(_: int) -> CallAnswer:
        await anyio.sleep(2)
        return CallAnswer("old")

    async def fail() -> None:
        await anyio.sleep(0.1)
        raise ProfileError("no such function")

    staying, going = Source(names=["other"]), Source(late, concurrency=1)
    coming, failing = Source(concurrency=1), Source(names=["third"], opening=fail)
    results: list[str] = []

    async def call(toolbox: Toolbox) -> None:
        results.append((await toolbox.call("look_up", "", "call_1")).output)

    async def main() -> None:
        async with open_toolbox([staying, going]) as toolbox, anyio.create_task_group() as tasks:
            await toolbox.ready()
            tasks.start_soon(call, toolbox)
            await anyio.sleep(1)
            with pytest.raises(ProfileError):
                await toolbox.opened_beside([staying, coming, failing])
            await anyio.sleep(0.1)
            assert [each.is_closed for each in (staying, going, coming)] == [False, False, True]

            coming.is_closed = False
            renewal = await toolbox.opened_beside([coming, staying])
            assert [each["name"] for each in renewal.definitions()] == ["look_up", "other"]
            renewal.take()
            renewal.give_up()
            tasks.start_soon(call, toolbox)
            await anyio.sleep(0.5)
            assert ([each.is_closed for each in (staying, going, coming)], results) == ([False] * 3, [])
            await anyio.sleep(1)
            assert [each.is_closed for each in (staying, going, coming)] == [False, True, False]

    in_virtual_time(main)

    # One at a time is one at a time, whichever runs it.
    assert results == ["old", "look_up"]


def test_calls_of_one_tool_take_turns() -> None:
    """Fifty at once are run four at a time, each within its own time."""

    async def slow(_attempt: int) -> CallAnswer:
        await anyio.sleep(1)
        return CallAnswer("done")

    source = Source(slow)
    results = calls(source, 50)

    assert source.most_at_once == 4
    assert {each.outcome for each in results} == {"ok"}
    assert max(each.duration_s for each in results) == pytest.approx(13)


def test_what_does_not_get_its_turn_in_time_is_not_run() -> None:
    """A tool that hangs keeps nobody waiting for ever."""

    async def hang(_attempt: int) -> CallAnswer:
        await anyio.sleep_forever()
        raise AssertionError

    source = Source(hang, concurrency=1, timeout_s=2)
    results = calls(source, 4)

    assert (
        sorted((each.outcome, round(each.duration_s)) for each in results)
        == [
            ("busy", 2),
            ("busy", 2),
            ("timed-out", 2),
            ("timed-out", 4),
        ]
        or [each.outcome for each in results].count("timed-out") == 1
    )
    assert source.most_at_once == 1


@pytest.mark.parametrize(
    ("limits", "answers", "outcome", "attempts"),
    [
        ({}, ["lost", "fine"], "failed", 1),
        ({"retries": 2}, ["lost", "lost", "fine"], "ok", 3),
        ({"retries": 2}, ["lost", "lost", "lost"], "failed", 3),
        ({"retries": 2}, ["refused"], "failed", 1),
        ({"retries": 9, "timeout_s": 1}, ["lost"] * 9, "failed", 3),
        ({"retries": 2}, ["broken"], "failed", 1),
        ({"retries": 2}, ["unfit"], "invalid", 1),
    ],
)
def test_what_may_pass_is_tried_again(limits: Any, answers: list[str], outcome: str, attempts: int) -> None:
    """Only as often as the profile says, and within the time of one call."""

    async def answer(attempt: int) -> CallAnswer:
        word = answers[attempt - 1]
        if word == "broken":
            raise RuntimeError("a secret detail")
        if word == "unfit":
            raise UnfitArguments("not so")
        return CallAnswer(word, is_failed=word != "fine", may_pass=word == "lost")

    (result,) = calls(Source(answer, **limits))

    assert (result.outcome, result.attempts) == (outcome, attempts)
    assert "detail" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "The arguments are not valid JSON."),
        ("[1]", "The arguments are not a JSON object."),
        ('{"order": NaN}', "The arguments are not valid JSON."),
        ('{"order": 12}', "- Additional properties are not allowed ('order' was unexpected)"),
        ('{"order": ' + "[" * 5000, "The arguments are not valid JSON."),
        (" " * 300_000, "The arguments are longer than 262144 characters."),
    ],
    ids=["broken", "array", "not-finite", "unfit", "deep", "long"],
)
def test_arguments_that_do_not_fit_run_nothing(arguments: str, said: str) -> None:
    """The model reads what is wrong."""
    source = Source()
    (result,) = calls(source, arguments=arguments)

    assert (result.outcome, result.attempts, source.attempts) == ("invalid", 0, 0)
    assert result.output.startswith("The arguments ")
    assert said in result.output


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    """The calls of a client's tool are not for the toolbox either."""
    (unknown,) = calls(Source(names=["a", "b"]))
    (client,) = calls(Source(is_client=True))

    assert (unknown.outcome, unknown.output) == ("unknown", "There is no tool 'look_up'. There are: a, b.")
    assert (client.outcome, client.output) == ("unknown", "There is no tool 'look_up'. There are no tools.")


def test_a_result_is_masked_and_then_cut() -> None:
    """A secret on the edge does not leave its first half."""
    redaction.hide("token-of-the-tool")

    async def answer(_attempt: int) -> CallAnswer:
        return CallAnswer("x" * 200 + "token-of-the-tool" + "ä\x00" * 100)

    (result,) = calls(Source(answer, max_output_bytes=256))

    assert result.is_cut
    assert len(result.output.encode()) <= 256
    assert f"xxx{redaction.MASK}ä\ufffd" in result.output
    assert result.output.endswith("\n[The result was longer; the rest is cut.]")


@pytest.mark.parametrize(
    ("shows", "shown"),
    [
        ("full", {"arguments": "{}", "output": "look_up"}),
        ("redacted", {"arguments": [], "output_characters": 7}),
        ("none", {}),
    ],
)
def test_the_log_shows_what_the_settings_let_it(shows: Any, shown: dict[str, Any]) -> None:
    """Each call is one line, whatever else."""
    with captured_log() as lines:
        calls(Source(log=shows), arguments=json.dumps({}))

    (line,) = lines
    facts = {key: line.pop(key) for key in ("arguments", "output", "output_characters") if key in line}
    assert facts == shown
    assert line == {
        "event": "tool_called",
        "log_level": "info",
        "tool": "look_up",
        "call_id": "call_1",
        "outcome": "ok",
        "duration_ms": 0,
        "attempts": 1,
    }


@pytest.mark.parametrize(
    "tables",
    [
        {"tools": [{"name": "ask", "description": "Asks.", "run": {"kind": "client"}}]},
        {"mcp_servers": [{"name": "ask", "run": {"kind": "hosted", "server_url": "https://x.invalid"}}]},
    ],
)
def test_what_is_run_elsewhere_says_so(tables: dict[str, Any]) -> None:
    """A source of such tools has an answer too."""
    (source,) = profile_sources(make_profile(endpoint={"kind": "local"}, **tables))

    answer = anyio.run(source.call, "ask", {})

    assert (answer.text, answer.is_failed) == ("ask is not run here", True)
