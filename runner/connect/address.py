"""Where exactly a profile's session connects: the URL and the headers of the handshake."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from runner.api.session_types import SessionType
from runner.connect.handshake import Address
from runner.settings.endpoint import AzureEndpoint, CustomEndpoint, LocalEndpoint, OpenAIEndpoint, RemoteEndpoint
from runner.settings.profile import Profile, RealtimeSettings, TranscriptionSettings, is_live

_PATHS: Mapping[SessionType, str] = {"translation": "/realtime/translations", "live": "/live/sessions"}
"""Where the kinds of sessions are that are not at `/realtime`."""
_LOCAL_BASE = "http://local/v1"


def address_of(profile: Profile, credential_headers: Mapping[str, str], forked_id: str = "") -> Address:
    """The address of a profile's session.

    Args:
        profile: A valid profile.
        credential_headers: The headers that authenticate the handshake; they win over the profile's own.
        forked_id: The stored Live session that is to be forked; nothing for a session of its own.
    """
    endpoint = profile.endpoint
    path = _PATHS.get(profile.session.type, "/realtime")
    if forked_id:
        path = f"{path}/{quote(forked_id, safe='')}/fork"
    if isinstance(endpoint, LocalEndpoint):
        url = _with_query(f"{_LOCAL_BASE}{path}", _subject(profile) or _local_subject(profile))
        return Address(url, dict(credential_headers))
    url = _with_query(_extended(_base(endpoint), path), {**endpoint.query, **_own_query(profile, endpoint)})
    return Address(url, _headers(endpoint, credential_headers))


def models_address(profile: Profile, credential_headers: Mapping[str, str]) -> Address | None:
    """Where the endpoint lists the models that a key may use, None where it has no list of them.

    Azure's own list has the models of a region; which deployments there are, it does not say.
    """
    endpoint = profile.endpoint
    if isinstance(endpoint, LocalEndpoint | AzureEndpoint):
        return None
    return Address(_extended(_base(endpoint), "/models"), _headers(endpoint, credential_headers))


def chat_address(profile: Profile, credential_headers: Mapping[str, str]) -> Address:
    """Where text models of a remote endpoint answer, by OpenAI's chat completions."""
    endpoint = profile.endpoint
    assert not isinstance(endpoint, LocalEndpoint)  # noqa: S101  # it has no address
    # Azure's preview of the Realtime protocol is not its way to text models.
    base = _extended(str(endpoint.base_url), "/openai/v1") if isinstance(endpoint, AzureEndpoint) else _base(endpoint)
    url = _with_query(_extended(base, "/chat/completions"), endpoint.query)
    return Address(url, _headers(endpoint, credential_headers))


def model_name(profile: Profile) -> str | None:
    """The model, or on Azure the deployment, that a session connects with."""
    if profile.model:
        return profile.model.name
    session = profile.session
    return session.model if isinstance(session, RealtimeSettings) or is_live(session) else None


def _base(endpoint: RemoteEndpoint) -> str:
    base = str(endpoint.base_url)
    if isinstance(endpoint, AzureEndpoint):
        return _extended(base, "/openai" if endpoint.speaks_preview else "/openai/v1")
    return base


def _extended(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, fragment=""))


def _own_query(profile: Profile, endpoint: RemoteEndpoint) -> dict[str, str]:
    query = _subject(profile)
    if isinstance(endpoint, CustomEndpoint) and profile.model and "intent" in query:
        return {"model": profile.model.name, **query}
    if not isinstance(endpoint, AzureEndpoint) or not endpoint.speaks_preview:
        return query
    name = query.pop("model", None) or _transcription_deployment(profile)
    return {"api-version": str(endpoint.api_version), **({"deployment": name} if name else {}), **query}


def _subject(profile: Profile) -> dict[str, str]:
    """What the session is about: a call, a transcription or a model."""
    call_id = getattr(profile.endpoint, "call_id", None)
    if call_id:
        return {"call_id": call_id}
    if isinstance(profile.session, TranscriptionSettings):
        return {"intent": "transcription"}
    # A Live session names its model in its first event.
    name = model_name(profile) if not is_live(profile.session) else None
    return {"model": name} if name else {}


def _local_subject(profile: Profile) -> dict[str, str]:
    return {} if is_live(profile.session) else {"model": "local"}


def _transcription_deployment(profile: Profile) -> str | None:
    if not isinstance(profile.session, TranscriptionSettings):
        return None
    if profile.model:
        return profile.model.name
    audio = profile.session.audio
    hearing = audio.input.transcription if audio and audio.input else None
    return hearing.model if hearing else None


def _with_query(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    merged = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **query}
    return urlunsplit(parts._replace(query=urlencode(merged, quote_via=quote, safe="")))


def _headers(endpoint: RemoteEndpoint, credential: Mapping[str, str]) -> dict[str, str]:
    headers = dict(endpoint.headers)
    if isinstance(endpoint, OpenAIEndpoint):
        named = {
            "OpenAI-Organization": endpoint.organization,
            "OpenAI-Project": endpoint.project,
            "OpenAI-Safety-Identifier": endpoint.safety_identifier,
        }
        headers = _laid_over(headers, {name: value for name, value in named.items() if value})
    return _laid_over(headers, credential)


def _laid_over(headers: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    taken = {name.lower() for name in over}
    return {**{name: value for name, value in headers.items() if name.lower() not in taken}, **over}
