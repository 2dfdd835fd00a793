"""As whom a session connects."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.base_url import TlsUrl
from runner.settings.secret import SecretRef


class ApiKeyAuth(Section):
    """A key of the service: an OpenAI key, an ephemeral client secret, an Azure resource's key."""

    kind: Literal["api-key"]
    api_key: SecretRef
    """Where the key comes from; the key itself never stands here."""
    header: Literal["bearer", "api-key"] | None = None
    """`Authorization: Bearer` or `api-key`; by default `api-key` on Azure and `bearer` elsewhere."""


class EntraAuth(Section):
    """A token of Microsoft Entra ID, fetched at each connect; needs the extra `azure`."""

    kind: Literal["entra"]
    credential: Literal[
        "default",
        "environment",
        "workload-identity",
        "managed-identity",
        "azure-cli",
        "azure-developer-cli",
        "azure-powershell",
        "client-secret",
        "client-certificate",
    ] = "default"
    """Which credential of azure-identity asks for the token."""
    scope: Annotated[str, Field(pattern=r"^https://\S+/\.default$")] = "https://cognitiveservices.azure.com/.default"
    """The token's scope; `https://ai.azure.com/.default` is in use too."""
    tenant_id: str | None = None
    """The directory, for the kinds that name one."""
    client_id: str | None = None
    """The application, or the user-assigned managed identity."""
    client_secret: SecretRef | None = None
    """The application's secret, for `client-secret`."""
    certificate_file: Path | None = None
    """The application's certificate and key in PEM, for `client-certificate`; a relative path starts at the profile."""
    authority: TlsUrl | None = None
    """The Entra authority, for national clouds."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    """How long fetching a token may take, in seconds."""


class NoAuth(Section):
    """No credential at all, for the local endpoint and for trusted gateways."""

    kind: Literal["none"]


KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}
"""For each kind of endpoint that has one, the variable where its key is usually found."""


def default_auth(endpoint_kind: Any) -> dict[str, Any]:
    """The table `auth` of a profile that has none."""
    variable = KEY_VARIABLES.get(endpoint_kind) if isinstance(endpoint_kind, str) else None
    return {"kind": "api-key", "api_key": {"env": variable}} if variable else {"kind": "none"}


Auth = Annotated[ApiKeyAuth | EntraAuth | NoAuth, Field(discriminator="kind")]
