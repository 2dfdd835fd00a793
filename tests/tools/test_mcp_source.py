"""The tools of MCP servers: real programs and a real HTTP server, whatever becomes of them."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import anyio
import pytest

from runner.errors import AccessRefused, ProfileError
from runner.profile import make_profile
from runner.tools.profile_tools import DeclaredSources, profile_sources
from runner.tools.shared_servers import SharedServers
from runner.tools.toolbox import Toolbox, open_toolbox
from tests.helpers.endpoint_scripts import logged
from tests.helpers.log_capture import captured_log
from tests.helpers.tool_calls import is_running

# Asked without importing it, which takes a second in each process that collects the tests.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(find_spec("mcp") is None, reason="needs the extra mcp"),
]

EVERYTHING = "mcp-server-everything"
LIMIT_S = 60
PLAIN = Path(__file__).parents[1] / "helpers" / "plain_mcp_server.py"
REAL = """
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
server = MCPServer("real")

@server.tool()
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

@server.tool()
async def learn(context: Context) -> str:
    server.add_tool(lambda: "new", name="new")
    await context.notify_tools_changed()
    return "learnt"

server.run("stdio")
"""


def plain(*arguments: str, **settings: Any) -> dict[str, Any]:
    """A server of the older protocol."""
    run = {"kind": "stdio", "argv": [sys.executable, str(PLAIN), *arguments], **settings.pop("run", {})}
    return {"name": "plain", "run": run, "connect_timeout_s": LIMIT_S, **settings}


@asynccontextmanager
async def opened(*servers: dict[str, Any], **tables: Any) -> AsyncIterator[Toolbox]:
    """The tools of these servers, and of such tables."""
    profile = make_profile(endpoint={"kind": "local"}, mcp_servers=list(servers), **tables)
    async with open_toolbox(profile_sources(profile)) as toolbox:
        await toolbox.ready()
        yield toolbox


async def called(toolbox: Toolbox, tool: str, **arguments: Any) -> tuple[str, str]:
    """How a call has ended, and its output."""
    result = await toolbox.call(tool, json.dumps(arguments), "call_1")
    return result.outcome, result.output


async def test_the_library_speaks_with_its_own_server() -> None:
    """Its tools are offered with their schemas, and it is heard when they change."""
    run = {"kind": "stdio", "argv": [sys.executable, "-c", REAL]}
    async with opened({"name": "real", "run": run, "connect_timeout_s": LIMIT_S}) as toolbox:
        offered, _learn = toolbox.definitions()
        right, wrong = await called(toolbox, "add", a=1, b=2), await called(toolbox, "add", a="x", b=1)
        await called(toolbox, "learn")
        with anyio.fail_after(LIMIT_S):
            while toolbox.find("new") is None:  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.01)

    assert (offered["name"], offered["description"]) == ("add", "Add two numbers.")
    assert sorted(offered["parameters"]["required"]) == ["a", "b"]
    assert (right, wrong[0]) == (("ok", "3"), "invalid")


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_server_that_dies_comes_back_and_its_tools_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in its last moment is answered, those in between too; of the session nothing is left in the end."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-no-business-of-a-server")
    tool = {"name": "echo", "run": {"kind": "client"}}
    server = plain(run={"env": {"GIVEN": "yes"}}, allowed_tools=["echo", "die", "environment", "look.up", "gone"])
    with captured_log() as lines:
        async with opened(server, tools=[tool]) as toolbox:
            names = [each.name for each in toolbox.offered()]
            first = int((await called(toolbox, "plain_echo"))[1])
            environment = json.loads((await called(toolbox, "environment"))[1])
            picture = await called(toolbox, "look_up", text="seen")
            failed = await called(toolbox, "plain_echo", text="fail")
            died = await called(toolbox, "die")
            meanwhile = await called(toolbox, "plain_echo")
            with anyio.fail_after(LIMIT_S):
                while (again := await called(toolbox, "plain_echo"))[0] != "ok":  # noqa: ASYNC110  # a process of others has no event
                    await anyio.sleep(0.05)
            assert [each.name for each in toolbox.offered()] == names
        with anyio.fail_after(LIMIT_S):
            while is_running(first) or is_running(int(again[1])):  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.01)

    assert names == ["echo", "plain_echo", "look_up", "environment", "die"]
    assert (environment["GIVEN"], "OPENAI_API_KEY" in environment) == ("yes", False)
    assert picture == ("ok", "seen\n[image of type image/png, 3 bytes, not shown]")
    assert failed == ("failed", "fail")
    assert died == ("failed", "The server of this tool was lost during the call.")
    assert meanwhile[0] == "failed"
    assert again[1] != str(first)
    events = [(each["event"], each.get("tool")) for each in lines if each["event"].startswith("mcp_")]
    assert ("mcp_tool_missing", "gone") in events
    assert logged(lines, "mcp_server_lost")[0]["stderr"] == "ready"
    assert ("mcp_server_stderr", None) in events


@pytest.mark.long
async def test_a_call_that_is_never_answered_ends_alone() -> None:
    """The model is told in time, and the server goes on with others; what it refuses is told in its words."""
    async with opened(plain(timeout_s=20, concurrency=100)) as toolbox:
        never = await called(toolbox, "never")
        after = await called(toolbox, "echo", text="still here")
        many: list[str] = []

        async def echo(number: int) -> None:
            many.append((await called(toolbox, "echo", text=str(number)))[1])

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(echo, number)
        refused = await called(toolbox, "refuse")
        await called(toolbox, "more")
        with anyio.fail_after(LIMIT_S):
            while toolbox.find("new") is None:  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.01)

    assert never == ("timed-out", "The tool gave no result within 20 s and was stopped.")
    assert after == ("ok", "still here")
    assert sorted(map(int, many)) == list(range(100))
    assert refused == ("failed", "The tool failed: not today")


async def test_a_server_may_have_many_tools() -> None:
    """They come in pages; one whose schema is none is left out, and so many are worth a warning."""
    with captured_log() as lines:
        async with opened(plain("500")) as toolbox:
            names = {each.name for each in toolbox.offered()}

    assert len(names) == 507
    assert {"tool_0", "tool_499", "echo"} < names
    (connected,) = [each for each in lines if each["event"] == "mcp_server_connected"]
    assert (connected["log_level"], connected["protocol"], connected["tools"]) == ("warning", "2025-06-18", 507)
    assert [each["tool"] for each in lines if each["event"] == "mcp_tool_unsound"] == ["broken"]


async def test_a_server_that_never_speaks_holds_nothing_up() -> None:
    """The session begins without its tools, and the log says so."""
    with captured_log() as lines:
        async with opened(plain("silent", connect_timeout_s=0.1)) as toolbox:
            assert toolbox.offered() == []
            with anyio.fail_after(LIMIT_S):
                while not any(each["event"] == "mcp_server_unreachable" for each in lines):  # noqa: ASYNC110  # a process of others has no event
                    await anyio.sleep(0.05)

    (line, *_) = [each for each in lines if each["event"] == "mcp_server_unreachable"]
    assert (line["server"], line["error"]) == ("plain", "no answer within 0.1 s")


async def test_a_program_that_is_not_there_fails_the_session() -> None:
    """Nothing would help but to install it."""
    with pytest.raises(ProfileError, match="the MCP server plain cannot be started: No such file") as caught:
        async with opened({"name": "plain", "run": {"kind": "stdio", "argv": ["no-such-server"]}}):
            pass

    assert "is no-such-server installed" in caught.value.hint


async def test_a_server_that_fails_late_is_tried_again(tmp_path: Path) -> None:
    """One that came too late for the session to wait cannot fail it any more, and is not given up without a word."""
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\nsleep 0.2\n")
    program.chmod(0o755)
    run = {"kind": "stdio", "argv": [str(program)]}
    with captured_log() as lines:
        async with opened({"name": "late", "run": run, "connect_timeout_s": 0.1}):
            program.unlink()
            with anyio.fail_after(LIMIT_S):
                while len(logged(lines, "mcp_server_unreachable")) < 3:  # noqa: ASYNC110  # the source has no event
                    await anyio.sleep(0.01)


async def test_a_server_over_http() -> None:
    """It gets the headers of the profile; where it forgets us, or is gone, its tools are answered with an error."""
    import uvicorn
    from mcp.server import MCPServer

    server = MCPServer("web")
    seen: list[str] = []

    @server.tool()
    def greet(name: str) -> str:
        """Greet."""
        return f"Hello {name}"

    inner = server.streamable_http_app()
    forgets = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal forgets
        if forgets:
            forgets -= 1
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"no such session"})
            return
        if scope["type"] == "http" and not any(name == b"x-team" for name, _ in scope["headers"]):
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"who are you?"})
            return
        seen.extend(value.decode() for name, value in scope.get("headers", ()) if name == b"x-team")
        await inner(scope, receive, send)

    web = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(web.serve)
        with anyio.fail_after(LIMIT_S):
            while not web.started:  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.01)
        port = web.servers[0].sockets[0].getsockname()[1]
        run: dict[str, Any] = {"kind": "http", "url": f"http://127.0.0.1:{port}/mcp"}
        with pytest.raises(AccessRefused, match="the MCP server web refuses access with HTTP 401"):
            async with opened({"name": "web", "run": run, "connect_timeout_s": LIMIT_S}):
                pass
        run = {**run, "headers": {"X-Team": "blue"}}
        async with opened({"name": "web", "run": run, "timeout_s": 5, "connect_timeout_s": LIMIT_S}) as toolbox:
            greeted = await called(toolbox, "greet", name="Ann")
            forgets = 1
            forgotten = await called(toolbox, "greet", name="Ann")
            with anyio.fail_after(LIMIT_S):
                while (known := await called(toolbox, "greet", name="Ann"))[0] != "ok":  # noqa: ASYNC110  # the server's
                    await anyio.sleep(0.01)
            web.should_exit = True
            with anyio.fail_after(LIMIT_S):
                while (gone := await called(toolbox, "greet", name="Bob"))[0] == "ok":  # noqa: ASYNC110  # a process of others has no event
                    await anyio.sleep(0.01)

    assert greeted == known == ("ok", "Hello Ann")
    assert forgotten == ("failed", "The server of this tool was lost during the call.")
    assert set(seen) == {"blue"}
    assert gone[0] in {"failed", "timed-out"}


@pytest.mark.skipif(which(EVERYTHING) is None, reason="needs the npm package @modelcontextprotocol/server-everything")
async def test_a_server_that_nobody_here_wrote() -> None:
    """The reference server on Node.js, of the older protocol: its texts, pictures, structures and resources."""
    run = {"kind": "stdio", "argv": [EVERYTHING]}
    async with opened({"name": "everything", "run": run, "connect_timeout_s": LIMIT_S}) as toolbox:
        added = await called(toolbox, "get-sum", a=1, b=2)
        picture = await called(toolbox, "get-tiny-image")
        weather = await called(toolbox, "get-structured-content", location="Chicago")

    assert added == ("ok", "The sum of 1 and 2 is 3.")
    assert "[image of type image/png" in picture[1]
    assert "temperature" in weather[1]


async def test_a_server_whose_table_has_changed_is_restarted_and_another_is_not() -> None:
    """Names stay, except where another tool of the profile has one now."""
    before = make_profile(endpoint={"kind": "local"}, mcp_servers=[{**plain(), "name": each} for each in "ab"])
    after = make_profile(
        endpoint={"kind": "local"},
        mcp_servers=[{**plain(timeout_s=5), "name": "b"}, {**plain(), "name": "a"}],
        tools=[{"name": "environment", "run": {"kind": "client"}}],
    )
    first = DeclaredSources(before)
    second = DeclaredSources(after, first)
    async with open_toolbox(first.sources) as toolbox:
        await toolbox.ready()
        old = [await called(toolbox, each) for each in ("echo", "b_echo")]
        renewal = await toolbox.opened_beside(second.sources)
        renewal.take()
        second.reserve_names()
        new = [await called(toolbox, each) for each in ("echo", "b_echo")]
        with anyio.fail_after(LIMIT_S):
            while is_running(int(old[1][1])):  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.01)
        names = {each["name"] for each in toolbox.definitions()}

    assert new[0] == old[0]
    assert new[1][1] != old[1][1]
    assert {"environment", "a_environment", "b_environment", "look_up", "b_look_up"} <= names


async def test_sessions_may_share_a_server_which_outlives_each_of_them() -> None:
    """One program for those whose tables are the same and ask for it; it ends with the last that uses it."""
    shared, alone = plain(shared=True), plain()
    servers = SharedServers()

    async def pid(toolbox: Toolbox) -> str:
        return (await toolbox.call("echo", "{}", "call")).output

    @asynccontextmanager
    async def session(table: dict[str, Any]) -> AsyncIterator[Toolbox]:
        profile = make_profile(endpoint={"kind": "local"}, mcp_servers=[table])
        async with open_toolbox(DeclaredSources(profile, shared=servers).sources) as toolbox:
            await toolbox.ready()
            yield toolbox

    with anyio.fail_after(LIMIT_S), captured_log() as lines:
        async with servers.open(), session(shared) as second, session(alone) as third:
            async with session(shared) as first:
                pids = [await pid(each) for each in (first, second, third)]
            assert await pid(second) == pids[0]
        async with servers.open(), session(shared) as fourth:
            other = await pid(fourth)
        with pytest.raises(ProfileError, match="cannot be started"):
            async with servers.open(), session(plain(shared=True, run={"argv": ["./no-such-program"]})):
                pass

    assert pids[0] == pids[1] != pids[2]
    assert other not in pids
    assert not any(is_running(int(each)) for each in (*pids, other))
    assert len(logged(lines, "mcp_server_connected")) == 3
