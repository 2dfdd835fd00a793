"""Where a session connects."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl

from runner.api.on_demand import on_demand
from runner.api.strict import Section
from runner.settings.base_url import BaseUrl
from runner.settings.brain import Brain, RulesBrain
from runner.settings.proxy_address import proxy_problem

if TYPE_CHECKING:
    from runner.settings.faults import Fault
    from runner.settings.script import ScriptedReply
else:
    Fault = on_demand("runner.settings.faults.Fault")
    ScriptedReply = on_demand("runner.settings.script.ScriptedReply")


def _proxy(address: str) -> str:
    if problem := proxy_problem(address):
        msg = f"the address of the proxy {problem}"
        raise ValueError(msg)
    return address


HttpProxy = Annotated[str, Field(pattern=r"^(https?|socks5h?)://[^\s]+$"), AfterValidator(_proxy)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
CallId = Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")]

OPEN_PARAMETERS = frozenset({"model", "deployment", "intent", "api-version", "call_id"})
"""The parameters of the query that say what the session is about; the values of others are never shown."""


class ClientCertificate(Section):
    """A certificate that rt-run shows to the endpoint (mutual TLS)."""

    file: Path
    """The certificate chain in PEM; a relative path starts at the profile."""
    key_file: Path | None = None
    """The private key in PEM, unless it stands in `file`."""


class Network(Section):
    """How a connection to a remote endpoint is made."""

    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Bound on name resolution, TCP, TLS and the WebSocket handshake together, in seconds."""
    proxy: HttpProxy | None = None
    """An `http`, `https`, `socks5` or `socks5h` proxy; without it `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` hold."""
    ca_file: Path | None = None
    """A PEM bundle to trust instead of the system's; a relative path starts at the profile."""
    client_certificate: ClientCertificate | None = None
    """A certificate for mutual TLS."""
    insecure: bool = False
    """Allow plain `http://` to other machines, on a network that is trusted as a whole: everything on the way, the
    credential included, can be read and changed. It changes nothing about `https://`."""
    headers: dict[HeaderName, str] = {}
    """Extra request headers; secrets do not belong here."""
    query: dict[str, str] = {}
    """Extra query parameters."""
    ping_interval_s: Annotated[float, Field(gt=0, le=3600)] = 20.0
    """Time between WebSocket pings, in seconds."""
    ping_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 20.0
    """Silence after a ping that counts as a lost connection, in seconds."""
    max_message_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 * 1024 * 1024
    """The largest message taken from the endpoint, in bytes."""


class OpenAIEndpoint(Network):
    """OpenAI's own service."""

    kind: Literal["openai"]
    base_url: BaseUrl = HttpUrl("https://api.openai.com/v1")
    """The API's base with its `/v1`, such as a regional `https://eu.api.openai.com/v1`."""
    organization: str | None = None
    """Sent as `OpenAI-Organization`."""
    project: str | None = None
    """Sent as `OpenAI-Project`."""
    safety_identifier: str | None = None
    """A stable, hashed id of the end user, sent as `OpenAI-Safety-Identifier`."""
    call_id: CallId | None = None
    """Join a running SIP or WebRTC call as its sideband, instead of opening a session with a model."""


class AzureEndpoint(Network):
    """An Azure OpenAI resource; the model's name is the name of a deployment in it."""

    kind: Literal["azure"]
    base_url: BaseUrl
    """The resource, such as `https://contoso.openai.azure.com`."""
    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] | None = None
    """Speak the deprecated preview protocol of this version; leave it out for the current one."""
    call_id: CallId | None = None
    """Join a running SIP or WebRTC call as its sideband."""

    @property
    def speaks_preview(self) -> bool:
        """Whether the deprecated preview protocol is spoken here."""
        return (self.api_version or "").endswith("-preview")


class CustomEndpoint(Network):
    """Any server that speaks the protocol: gateways, LiteLLM, speaches, test servers."""

    kind: Literal["custom"]
    base_url: BaseUrl
    """The base to which `/realtime` is added, `https://` or `wss://`; plain `http://` and `ws://` are for loopback
    addresses, elsewhere see `insecure`."""
    call_id: CallId | None = None
    """Join a running SIP or WebRTC call as its sideband."""


class LocalEndpoint(Section):
    """The Realtime server built into rt-run: no key, no network, answers by rules."""

    kind: Literal["local"]
    brain: Brain = RulesBrain.model_construct(kind="rules")
    """What answers; the script comes first."""
    speech: Literal["simulated", "models"] = "simulated"
    """`simulated`: turns are found by loudness, and the voice is a pattern of tones, the only one that is understood;
    `models`: real speech both ways, in English; needs the extra `local`."""
    script: list[ScriptedReply] = []
    """Replies and calls by pattern, first match wins; what matches none is echoed."""
    session_limit_s: Annotated[float, Field(gt=0, le=86400)] = 3600.0
    """After this time the session ends as hosted ones do: close 1001, in seconds."""
    delta_interval_ms: Annotated[float, Field(ge=0, le=10000)] = 15.0
    """Time between two pieces of an answer, in milliseconds."""
    faults: list[Fault] = []
    """What goes wrong on purpose, and on which connections."""
    fault_seed: int | None = None
    """Makes the faults' `chance` fall the same way every time."""


Endpoint = Annotated[OpenAIEndpoint | AzureEndpoint | CustomEndpoint | LocalEndpoint, Field(discriminator="kind")]
RemoteEndpoint = OpenAIEndpoint | AzureEndpoint | CustomEndpoint
