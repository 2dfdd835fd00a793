"""What the model may call: the tools of a profile, and within which limits their calls run."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.api.strict import Section
from runner.settings.base_url import WebUrl
from runner.settings.endpoint import HeaderName, HttpProxy
from runner.settings.secret import SecretRef
from runner.settings.tool_use import Instruction, SayAfter

CalledName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""The name under which the API takes a tool."""
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of a variable of the environment."""
Program = Annotated[list[Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]], Field(min_length=1)]
"""A program and its arguments; no shell is involved."""
CallTimeout = Annotated[float, Field(gt=0, le=3600)]


def _text_or_reference(value: Any) -> str:
    return "text" if isinstance(value, str) else "reference"


GivenText = Annotated[
    Annotated[str, Tag("text")] | Annotated[SecretRef, Tag("reference")], Discriminator(_text_or_reference)
]
"""A text, or a reference to a secret."""


class CommandRun(Section):
    """A program: it gets the arguments as JSON on standard input, and what it prints is the result."""

    kind: Literal["command"]
    argv: Program
    """The program and its arguments, without a shell; a relative path with a slash starts at the profile."""
    cwd: Path | None = None
    """The working directory; a relative path starts at the profile; without it, that of rt-run."""
    env: dict[EnvironmentName, GivenText] = {}
    """Variables for the program: texts, or references to secrets."""
    pass_env: list[EnvironmentName] = []
    """Variables of rt-run's own environment that the program gets too, beside `HOME`, `LANG`, `LC_ALL`, `LC_CTYPE`,
    `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR`, `TZ` and `USER`; it gets no others."""


class HttpRun(Section):
    """A request of HTTP: the arguments are its body or its query, and the body of the answer is the result."""

    kind: Literal["http"]
    url: WebUrl
    """The address; redirects are not followed, and no name leads to an address of this machine or of its link."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The method."""
    arguments: Literal["json", "query"] | None = None
    """Where the arguments go: a body in JSON, or the query; by default the query for `GET` and `DELETE`."""
    headers: dict[HeaderName, GivenText] = {}
    """Request headers: texts, or references to secrets."""
    proxy: HttpProxy | None = None
    """An `http`, `https`, `socks5` or `socks5h` proxy; without it `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` hold."""
    ca_file: Path | None = None
    """A PEM bundle to trust instead of the system's; a relative path starts at the profile."""
    insecure: bool = False
    """Allow plain `http://` to other machines, on a network that is trusted as a whole."""

    @property
    def sends_query(self) -> bool:
        """Whether the arguments go into the query."""
        return (self.arguments or ("query" if self.method in ("GET", "DELETE") else "json")) == "query"


class PythonRun(Section):
    """A Python function, synchronous or not, in this process; what it returns is the result."""

    kind: Literal["python"]
    function: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
    """The function as `package.module:function`."""
    path: Path | None = None
    """A folder that it is imported from; a relative path starts at the profile; without it, from what is installed."""


class ClientRun(Section):
    """Not run here: the call goes to the output, and its result is expected from the input."""

    kind: Literal["client"]


ToolRun = Annotated[CommandRun | HttpRun | PythonRun | ClientRun, Field(discriminator="kind")]


class ApprovalCommand(Section):
    """A program that decides: it gets the call as JSON on standard input, and exit code 0 approves."""

    command: Program
    """The program and its arguments, without a shell; a relative path with a slash starts at the profile."""


def _word_or_command(value: Any) -> str:
    return "word" if isinstance(value, str) else "command"


CallApproval = Annotated[
    Annotated[Literal["always", "never"], Tag("word")] | Annotated[ApprovalCommand, Tag("command")],
    Discriminator(_word_or_command),
]


class CallSettings(Section):
    """The limits of a call, whoever runs it."""

    timeout_s: CallTimeout = 20.0
    """How long a call may take, retries included, in seconds; before that, it waits as long at most for its turn."""
    max_output_bytes: Annotated[int, Field(ge=256, le=16 * 1024 * 1024)] = 32 * 1024
    """The largest result, in bytes of UTF-8; what is longer is cut, and the model is told."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 4
    """How many calls of one session run at once; others wait."""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """How often a call that has failed is tried again; only for what does no harm when it is done twice."""
    approval: CallApproval = "never"
    """`never` runs a call without asking, `always` needs an answer, `{ command = […] }` asks a program."""
    log: Literal["full", "redacted", "none"] = "redacted"
    """What the log shows of arguments and results: all, names and sizes only, or nothing."""
    say_after_ms: SayAfter | None = None
    """When the agent says `say`, in milliseconds after the call was made; without it, as `[run.tools]` says."""
    say: Instruction | None = None
    """What the agent is told to say meanwhile; without it, as `[run.tools]` says."""


class ToolSettings(CallSettings):
    """A function that the model may call."""

    name: CalledName
    """What the model calls it."""
    description: str | None = None
    """When and how to call it; for a Python function by default its docstring."""
    parameters: dict[str, Any] | None = None
    """JSON Schema of the arguments, or `{ file = … }` to read it from; for a Python function by default its signature,
    for others no arguments."""
    run: ToolRun
    """How it is run."""
