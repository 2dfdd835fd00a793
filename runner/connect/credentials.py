"""Settings of `auth` → the header that authenticates the handshake."""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from runner import redaction
from runner.connect.network import hide_proxy_passwords
from runner.errors import AccessRefused, EndpointUnreachable, ProfileError, reason_of
from runner.settings.auth import ApiKeyAuth, EntraAuth, NoAuth
from runner.settings.endpoint import AzureEndpoint, Endpoint, LocalEndpoint

if TYPE_CHECKING:
    from pathlib import Path

    from runner.settings.profile import Profile
    from runner.settings.secret import SecretRef


async def credential_headers(profile: Profile, *, is_fresh: bool = False) -> dict[str, str]:
    """Fetch a credential and put it in the header that the endpoint reads.

    Args:
        profile: The profile, whose `auth` names the credential.
        is_fresh: Whether to fetch a new token although one is cached.

    Raises:
        SecretError: a reference leads nowhere.
        AccessRefused: Entra ID refuses the credential.
        EndpointUnreachable: Entra ID did not answer in time.
        ProfileError: azure-identity is not installed, or cannot use what `auth` says.
    """
    match profile.auth:
        case NoAuth():
            return {}
        case EntraAuth() as auth:
            return {"Authorization": f"Bearer {await _token(auth, profile.endpoint, is_fresh=is_fresh)}"}
        case ApiKeyAuth(api_key=reference):
            key = await _resolved(reference)
            name = credential_header(profile)
            return {name: key if name == "api-key" else f"Bearer {key}"}


async def _resolved(reference: SecretRef) -> str:
    from runner.connect.secrets import resolve

    return await resolve(reference)


def credential_header(profile: Profile) -> str:
    """The name of the header that authenticates the handshake; empty without a credential."""
    match profile.auth:
        case NoAuth():
            return ""
        case ApiKeyAuth(header=header):
            is_azure = isinstance(profile.endpoint, AzureEndpoint)
            return "api-key" if (header or ("api-key" if is_azure else "bearer")) == "api-key" else "Authorization"
        case EntraAuth():
            return "Authorization"


async def _token(auth: EntraAuth, endpoint: Endpoint, *, is_fresh: bool) -> str:
    try:
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            ServiceRequestError,
            ServiceResponseError,
        )
    except ImportError:
        from runner.installation import install_command

        msg = '`auth.kind` is "entra", but azure-identity is not installed'
        raise ProfileError(msg, hint=install_command("azure")) from None
    secret = await _resolved(auth.client_secret) if auth.client_secret else None
    auth = auth.model_copy(update={"client_secret": None})
    network = (None, None) if isinstance(endpoint, LocalEndpoint) else (endpoint.ca_file, endpoint.proxy)
    hide_proxy_passwords(network[1])
    try:
        with anyio.fail_after(auth.timeout_s):
            token = await anyio.to_thread.run_sync(_fetch, auth, secret, *network, is_fresh, abandon_on_cancel=True)
    except TimeoutError:
        msg = f"Entra ID gave no token within {auth.timeout_s:g} s"
        raise EndpointUnreachable(msg) from None
    except (AzureError, ValueError, OSError) as error:
        # azure-identity reports a network that is down as a failed authentication too; only the cause differs.
        lost = isinstance(error.__cause__ or error.__context__, (ServiceRequestError, ServiceResponseError))
        lost = lost or _is_machine_silent(auth, error)
        if isinstance(error, ClientAuthenticationError) and not lost:
            raise _refusal(auth, error) from None
        if isinstance(error, OSError) and error.filename:
            msg = f"the credential `{auth.credential}` cannot read {error.filename}: {reason_of(error)}"
            raise ProfileError(msg, hint="check `auth`, and what the credential reads") from None
        msg = f"no token from Entra ID: {_first_line(error)}"
        raise EndpointUnreachable(msg) from None
    redaction.hide(token, slot=auth)
    return token


def _is_machine_silent(auth: EntraAuth, error: Exception) -> bool:
    """Whether the machine's own identity service is what fails: it may start later than this process."""
    text = str(error).lower()
    return (
        auth.credential == "managed-identity"
        and getattr(error, "status_code", None) not in (400, 401, 403)
        and not any(words in text for words in ("no identity", "identity not found", "no managed identity"))
    )


def _refusal(auth: EntraAuth, error: Exception) -> AccessRefused:
    msg = f"Entra ID refused the credential `{auth.credential}`: {_first_line(error)}"
    return AccessRefused(msg, hint="check tenant, client and the identity's role on the resource")


def _first_line(error: Exception) -> str:
    return redaction.redact(str(error).strip().partition("\n")[0])


_one_at_a_time = threading.Lock()
_NOWHERE = logging.NullHandler()


def _fetch(auth: EntraAuth, secret: str | None, ca_file: Path | None, proxy: str | None, is_fresh: bool) -> str:
    # azure-identity caches a token, but fetches one for each of many cold callers.
    with _one_at_a_time:
        if is_fresh:
            # The cache of a credential lives and dies with it.
            _credential.cache_clear()
        try:
            credential = _credential(auth, secret, ca_file, proxy)
        except (ValueError, OSError) as error:
            msg = f"the credential `{auth.credential}` cannot be used: {_first_line(error)}"
            raise ProfileError(msg, hint="check `auth`, and what the credential reads") from None
        return str(credential.get_token(auth.scope).token)


@functools.lru_cache(maxsize=16)
def _credential(auth: EntraAuth, secret: str | None, ca_file: Path | None, proxy: str | None) -> Any:
    import azure.identity

    # Its warnings are raised as errors too; without a handler Python would print them unredacted among the log lines.
    logging.getLogger("azure").addHandler(_NOWHERE)
    options: dict[str, Any] = {"connection_verify": str(ca_file)} if ca_file else {}
    if proxy:
        # Entra ID is spoken to with TLS; the machine's own identity service is not, and no proxy leads to it.
        options["proxies"] = {"https": proxy}
    if auth.authority:
        options |= {"authority": str(auth.authority).rstrip("/"), "disable_instance_discovery": True}
    client = {"client_id": auth.client_id} if auth.client_id else {}
    tenant = {"tenant_id": auth.tenant_id} if auth.tenant_id else {}
    application = {**client, **tenant, **options}
    chain = {"managed_identity_client_id": auth.client_id} if auth.client_id else {}
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "default": ("DefaultAzureCredential", {**chain, **options}),
        "environment": ("EnvironmentCredential", options),
        "workload-identity": ("WorkloadIdentityCredential", application),
        "managed-identity": ("ManagedIdentityCredential", {**client, **options}),
        "azure-cli": ("AzureCliCredential", tenant),
        "azure-developer-cli": ("AzureDeveloperCliCredential", tenant),
        "azure-powershell": ("AzurePowerShellCredential", tenant),
        "client-secret": ("ClientSecretCredential", {**application, "client_secret": secret}),
        "client-certificate": (
            "CertificateCredential",
            {**application, "certificate_path": str(auth.certificate_file)},
        ),
    }
    name, arguments = kinds[auth.credential]
    return getattr(azure.identity, name)(**arguments)
