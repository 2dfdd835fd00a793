"""A whole profile: what one TOML file, its parents, the environment and the command line say together."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator
from typing_extensions import TypeIs

from runner.api.on_demand import on_demand
from runner.api.session_config import RealtimeSession, TranscriptionSession, TranslationSession
from runner.api.strict import Section
from runner.settings.auth import Auth, default_auth
from runner.settings.endpoint import Endpoint
from runner.settings.input import Input, StdinInput
from runner.settings.output import OutputSettings, StdoutOutput
from runner.settings.run_settings import LoggingSettings, RunSettings
from runner.settings.variable import Variable, VariableName

if TYPE_CHECKING:
    from runner.settings.batch_settings import BatchSettings
    from runner.settings.control import ControlSettings
    from runner.settings.delegate import DelegateSettings
    from runner.settings.greeting import Greeting
    from runner.settings.http import HttpSettings
    from runner.settings.idle import Idle
    from runner.settings.journal import JournalSettings
    from runner.settings.live_settings import LiveSettings
    from runner.settings.mcp_server import McpServerSettings
    from runner.settings.report_settings import ReportSettings
    from runner.settings.tool import ToolSettings
    from runner.settings.trace_settings import TracesSettings
else:
    BatchSettings = on_demand("runner.settings.batch_settings.BatchSettings")
    ControlSettings = on_demand("runner.settings.control.ControlSettings")
    DelegateSettings = on_demand("runner.settings.delegate.DelegateSettings")
    Greeting = on_demand("runner.settings.greeting.Greeting")
    HttpSettings = on_demand("runner.settings.http.HttpSettings")
    Idle = on_demand("runner.settings.idle.Idle")
    JournalSettings = on_demand("runner.settings.journal.JournalSettings")
    LiveSettings = on_demand("runner.settings.live_settings.LiveSettings")
    McpServerSettings = on_demand("runner.settings.mcp_server.McpServerSettings")
    ReportSettings = on_demand("runner.settings.report_settings.ReportSettings")
    ToolSettings = on_demand("runner.settings.tool.ToolSettings")
    TracesSettings = on_demand("runner.settings.trace_settings.TracesSettings")


class ModelSettings(Section):
    """With what a session runs."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """The model, such as `gpt-realtime-2`; on Azure the name of the deployment."""


class RealtimeSettings(RealtimeSession):
    """The API's realtime session object; all fields are the API's own."""

    extra: dict[str, JsonValue] = {}
    """Fields of the API that rt-run does not know yet; merged into `session.update` as they are."""


class TranscriptionSettings(TranscriptionSession):
    """The API's transcription session object; all fields are the API's own."""

    extra: dict[str, JsonValue] = {}
    """Fields of the API that rt-run does not know yet; merged into `session.update` as they are."""


class TranslationSettings(TranslationSession):
    """The API's translation session object; all fields are the API's own."""

    extra: dict[str, JsonValue] = {}
    """Fields of the API that rt-run does not know yet; merged into `session.update` as they are."""


def _session_type(value: Any) -> str:
    kind = value.get("type", "realtime") if isinstance(value, dict) else getattr(value, "type", "realtime")
    return kind if isinstance(kind, str) else ""


SessionSettings = Annotated[
    Annotated[RealtimeSettings, Tag("realtime")]
    | Annotated[TranscriptionSettings, Tag("transcription")]
    | Annotated[TranslationSettings, Tag("translation")]
    | Annotated[LiveSettings, Tag("live")],
    Discriminator(
        _session_type,
        custom_error_type="session_type",
        custom_error_message='`type` is "realtime", "transcription", "translation" or "live"',
    ),
]


def is_live(session: SessionSettings | None) -> TypeIs[LiveSettings]:
    """Whether a session is a Live one; its model is imported only where a profile has such a session."""
    return session is not None and session.type == "live"


def _standard_output() -> list[OutputSettings]:
    return [StdoutOutput(kind="stdout")]


class Profile(Section):
    """What a session is: where it connects, as whom, with which model, and what goes in and out."""

    version: Literal[1]
    """The version of the profile's format."""
    extends: str | None = None
    """The one parent profile, by name or by path; tables merge, arrays replace, a changed `kind` replaces its table."""
    description: str = ""
    """One line for `rt-run list`."""
    variables: dict[VariableName, Variable] = {}
    """What a run fills in: `{{name}}` in texts that the model reads or says, `{name}` in paths that are written."""
    endpoint: Endpoint
    """Where the session connects."""
    auth: Auth
    """As whom; by default an API key from `OPENAI_API_KEY` or `AZURE_OPENAI_API_KEY`, and none elsewhere."""
    model: ModelSettings | None = None
    """With what; a transcription session and a call's sideband have none."""
    session: SessionSettings = Field(default_factory=RealtimeSettings)
    """How the session behaves, in the API's own words."""
    tools: list[ToolSettings] = []
    """What the model may call, and how it is run."""
    greeting: Greeting | None = None
    """What the agent says first."""
    delegate: DelegateSettings | None = None
    """Who does what a Live model delegates to the client."""
    mcp_servers: list[McpServerSettings] = []
    """The MCP servers whose tools the model may call."""
    idle: Idle | None = None
    """What becomes of silence."""
    input: Input = Field(default_factory=lambda: StdinInput(kind="stdin"))
    """What goes in."""
    outputs: list[OutputSettings] = Field(default_factory=_standard_output)
    """What comes out, and where to."""
    run: RunSettings = Field(default_factory=RunSettings.model_construct)
    """How long it runs and how it ends."""
    journal: JournalSettings | None = None
    """A record of every event in both directions."""
    control: ControlSettings | None = None
    """The socket of `rt-run ctl`."""
    http: HttpSettings | None = None
    """Where the process answers whoever watches it."""
    traces: TracesSettings | None = None
    """The traces of what the session does."""
    batch: BatchSettings | None = None
    """How `rt-run batch` goes through its rows."""
    report: ReportSettings | None = None
    """What is told of each session when it has ended."""
    logging: LoggingSettings = Field(default_factory=LoggingSettings.model_construct)
    """What is logged."""

    @model_validator(mode="before")
    @classmethod
    def _default_auth(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "auth" in data or not isinstance(data.get("endpoint"), dict):
            return data
        return {**data, "auth": default_auth(data["endpoint"].get("kind"))}
