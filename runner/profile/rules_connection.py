"""Rules about where a session connects, as whom and with which model; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.keys import Key, dotted
from runner.profile.tables import Finding, Tables, is_hosted, speaks_preview
from runner.settings.auth import EntraAuth, NoAuth
from runner.settings.endpoint import AzureEndpoint, LocalEndpoint, OpenAIEndpoint
from runner.settings.hosts import is_loopback
from runner.settings.profile import RealtimeSettings, TranscriptionSettings, TranslationSettings, is_live

_CLIENT_SECRET_FIELDS = ("tenant_id", "client_id", "client_secret")
_CERTIFICATE_FIELDS = ("tenant_id", "client_id", "certificate_file")


def _joins_call(tables: Tables) -> bool:
    """Whether the session is the sideband of a call."""
    endpoint = tables.endpoint
    return not isinstance(endpoint, LocalEndpoint | None) and endpoint.call_id is not None


def model_missing(tables: Tables) -> Iterator[Finding]:
    """A conversation or a translation on a hosted endpoint without a model; a Live session always names one."""
    names_model = is_live(tables.session) and not isinstance(tables.endpoint, LocalEndpoint | None)
    if (
        ((is_hosted(tables) and isinstance(tables.session, RealtimeSettings | TranslationSettings)) or names_model)
        and tables.model is None
        and not ((isinstance(tables.session, RealtimeSettings) or is_live(tables.session)) and tables.session.model)
        and "model" not in tables.invalid
        and not _joins_call(tables)
    ):
        known = '"gpt-live-1.1"' if names_model else '"gpt-realtime-2"'
        example = known if isinstance(tables.endpoint, OpenAIEndpoint) else "the name of a deployment"
        yield ("model",), "is missing", f"add [model] with name = {example}", "table"


def model_with_transcription(tables: Tables) -> Iterator[Finding]:
    """A model beside a transcription session on a hosted endpoint."""
    transcribes = is_hosted(tables) and isinstance(tables.session, TranscriptionSettings)
    if transcribes and tables.model and not speaks_preview(tables):
        problem = "a transcription session takes no model here"
        yield ("model", "name"), problem, "write session.audio.input.transcription.model and remove [model]", "key"


def model_with_call(tables: Tables) -> Iterator[Finding]:
    """A model beside a call, which has its own."""
    if tables.model and _joins_call(tables):
        yield ("model", "name"), "a call has its model already", "remove [model] or endpoint.call_id", "key"


def translation_unsupported(tables: Tables) -> Iterator[Finding]:
    """A translation where there is none: on Azure, and in a call, which is a conversation."""
    if not isinstance(tables.session, TranslationSettings):
        return
    if isinstance(tables.endpoint, AzureEndpoint):
        problem = "Azure has no translation sessions"
    elif _joins_call(tables):
        problem = "a call is a conversation"
    else:
        return
    yield ("session", "type"), problem, 'use endpoint.kind = "openai", or "custom", without call_id', "value"


def live_unsupported(tables: Tables) -> Iterator[Finding]:
    """A Live session where there is none: in a call of the Realtime API, and by the preview protocol."""
    if not is_live(tables.session):
        return
    if _joins_call(tables):
        problem = "a call is a conversation of the Realtime API"
        yield ("session", "type"), problem, 'write "realtime", or remove endpoint.call_id', "value"
    elif speaks_preview(tables):
        problem = "the preview protocol has no Live sessions"
        yield ("session", "type"), problem, "remove endpoint.api_version", "value"


def model_twice(tables: Tables) -> Iterator[Finding]:
    """Two models that differ."""
    session = tables.session
    inner = session.model if isinstance(session, RealtimeSettings) or is_live(session) else None
    if inner and tables.model and inner != tables.model.name:
        yield ("session", "model"), "differs from model.name", "write the model in [model] only", "value"


def azure_api_version(tables: Tables) -> Iterator[Finding]:
    """A version where the current API takes none."""
    if not isinstance(tables.endpoint, AzureEndpoint) or tables.endpoint.api_version is None:
        return
    if not speaks_preview(tables) or (tables.endpoint.base_url.path or "").rstrip("/").endswith("/openai/v1"):
        hint = "remove it; only a version that ends in -preview speaks the preview protocol"
        yield ("endpoint", "api_version"), "the current API takes no api_version", hint, "key"


def azure_preview(tables: Tables) -> Iterator[Finding]:
    """The deprecated preview protocol."""
    if speaks_preview(tables):
        problem = "speaks the preview protocol, which Azure has deprecated since 2026-04-30"
        yield ("endpoint", "api_version"), problem, "remove it to speak the current one", "key"


def entra_endpoint(tables: Tables) -> Iterator[Finding]:
    """Entra ID on an endpoint that does not know it."""
    if isinstance(tables.auth, EntraAuth) and isinstance(tables.endpoint, OpenAIEndpoint | LocalEndpoint):
        other = "api-key" if isinstance(tables.endpoint, OpenAIEndpoint) else "none"
        problem = f"an endpoint of kind {tables.endpoint.kind} knows no Entra ID"
        yield ("auth", "kind"), problem, f'write kind = "{other}"', "value"


def entra_fields(tables: Tables) -> Iterator[Finding]:
    """An Entra credential without the fields that it needs."""
    needed = {"client-secret": _CLIENT_SECRET_FIELDS, "client-certificate": _CERTIFICATE_FIELDS}
    if isinstance(tables.auth, EntraAuth):
        for name in needed.get(tables.auth.credential, ()):
            if getattr(tables.auth, name) is None:
                yield ("auth", name), f"is missing for credential = {tables.auth.credential!r}", "", "table"


def plain_http(tables: Tables) -> Iterator[Finding]:
    """An address without TLS on another machine."""
    for key, server in _servers(tables):
        if _is_unencrypted(server) and not getattr(server, "insecure", False):
            allowed = f"{dotted(key)}.insecure = true"
            hint = f"use https://; http:// is for loopback addresses, or a trusted network: {allowed}"
            yield (*key, "base_url"), _readable(tables, key), hint, "value"


def insecure(tables: Tables) -> Iterator[Finding]:
    """A connection without TLS that is asked for, or where it is asked for in vain."""
    for key, server in _servers(tables):
        if not getattr(server, "insecure", False):
            continue
        if _is_unencrypted(server):
            hint = f"use https:// as soon as the {'server' if 'brain' in key else 'endpoint'} speaks it"
            yield (*key, "insecure"), _readable(tables, key), hint, "value"
        else:
            problem = "allows http:// to other machines, which the address does not need"
            hint = "remove it; certificates are checked in any case"
            hint += "" if "brain" in key else ", and endpoint.ca_file names authorities to trust"
            yield (*key, "insecure"), problem, hint, "value"


def _servers(tables: Tables) -> Iterator[tuple[Key, object]]:
    """The servers that the session speaks to: its endpoint, or the one of the local endpoint's brain."""
    if isinstance(tables.endpoint, LocalEndpoint):
        yield ("endpoint", "brain"), tables.endpoint.brain
    else:
        yield ("endpoint",), tables.endpoint


def _is_unencrypted(server: object) -> bool:
    """Whether this is another machine that is spoken to without TLS."""
    url = getattr(server, "base_url", None)
    return url is not None and url.scheme in {"http", "ws"} and not is_loopback(url.host or "")


def _readable(tables: Tables, key: Key) -> str:
    is_all = isinstance(tables.auth, NoAuth) or "brain" in key
    sent = "everything" if is_all else "the credential"
    return f"without TLS {sent} can be read on the way"


def no_credential(tables: Tables) -> Iterator[Finding]:
    """A hosted endpoint without any credential."""
    if is_hosted(tables) and isinstance(tables.auth, NoAuth):
        yield ("auth", "kind"), "the endpoint will want a credential", 'kind = "api-key" or "entra"', "value"
