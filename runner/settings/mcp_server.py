"""The MCP servers of a profile: where they are, and which of their tools the model may call."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.base_url import TlsUrl, WebUrl
from runner.settings.endpoint import HeaderName, HttpProxy
from runner.settings.secret import SecretRef
from runner.settings.tool import CallSettings, EnvironmentName, GivenText, Program


class StdioServer(Section):
    """A program that is started with the session, and spoken to over its standard input and output."""

    kind: Literal["stdio"]
    argv: Program
    """The program and its arguments, without a shell; a relative path with a slash starts at the profile."""
    cwd: Path | None = None
    """The working directory; a relative path starts at the profile; without it, that of rt-run."""
    env: dict[EnvironmentName, GivenText] = {}
    """Variables for the program: texts, or references to secrets."""
    pass_env: list[EnvironmentName] = []
    """Variables of rt-run's own environment that the program gets too, beside `HOME`, `LANG`, `LC_ALL`, `LC_CTYPE`,
    `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR`, `TZ` and `USER`; it gets no others."""


class HttpServer(Section):
    """A server that is spoken to over streamable HTTP."""

    kind: Literal["http"]
    url: WebUrl
    """Its address; redirects are followed within its host only."""
    headers: dict[HeaderName, GivenText] = {}
    """Request headers: texts, or references to secrets."""
    proxy: HttpProxy | None = None
    """An `http`, `https`, `socks5` or `socks5h` proxy; without it `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` hold."""
    ca_file: Path | None = None
    """A PEM bundle to trust instead of the system's; a relative path starts at the profile."""
    insecure: bool = False
    """Allow plain `http://` to other machines, on a network that is trusted as a whole."""


class HostedServer(Section):
    """A server that the endpoint, not rt-run, calls; it becomes an entry of `session.tools`."""

    kind: Literal["hosted"]
    server_url: TlsUrl
    """Its address, as the endpoint reaches it."""
    authorization: SecretRef | None = None
    """An OAuth access token for it."""
    headers: dict[HeaderName, GivenText] = {}
    """Further HTTP headers for it: texts, or references to secrets."""
    description: str | None = None
    """What the model is told about it."""


class ServerFile(Section):
    """A file with the `mcpServers` that other clients take; each of them is a server of its own."""

    kind: Literal["file"]
    path: Path
    """The file, in JSON; a relative path starts at the profile."""


McpRun = Annotated[StdioServer | HttpServer | HostedServer | ServerFile, Field(discriminator="kind")]


class McpServerSettings(CallSettings):
    """An MCP server, and the limits of the calls of its tools."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """Its name: in the log, before the name of a tool that another one has too, and as the label of a hosted one. The
    servers of a file have their names from there."""
    run: McpRun
    """Where it is, and who calls it."""
    allowed_tools: list[str] | None = None
    """The tools that the model may call, by the names that the server gives them; without it, all."""
    shared: bool = False
    """Whether all sessions of a process use one connection to it, and one program, where their tables are the same: for
    a server that remembers nothing of one conversation that another one could notice."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """How long the session's beginning waits for it, in seconds; it is tried again meanwhile and after that."""
