"""Rules about the address of an endpoint, its query and its headers; `rules.py` has their codes."""

import re
from collections.abc import Iterator

from pydantic import HttpUrl

from runner.profile.keys import at
from runner.profile.tables import Finding, Tables, is_hosted, speaks_preview
from runner.settings.brain import ChatBrain
from runner.settings.endpoint import AzureEndpoint, CustomEndpoint, LocalEndpoint, OpenAIEndpoint
from runner.settings.headers import header_problem

_OPENAI_HOST = re.compile(r"(?:[a-z0-9-]+\.)*api\.openai\.com")
_AZURE_HOST = re.compile(r".+\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)")
_EXAMPLE_HOST = re.compile(r"contoso\..*|(?:.+\.)?example(?:\.(?:com|org|net))?")
_WHOLE_PATH = re.compile(
    r"(?P<base>.*?)/(?:realtime(?:/.*)?|chat/completions|completions|responses|embeddings|audio/[a-z]+)/*"
)
_OWN_PARAMETERS = {
    "api-version": "remove it",
    "deployment": "write model.name",
    "model": "write model.name",
    "intent": 'write session.type = "transcription"',
    "call_id": "write endpoint.call_id",
}
_HEADERS_OF_KEYS = ("organization", "project", "safety_identifier")


def origin(url: HttpUrl) -> str:
    """Scheme, host and port of an address, the port only where it is not the scheme's own."""
    port = "" if url.port in (None, {"http": 80, "https": 443}.get(url.scheme)) else f":{url.port}"
    return f"{url.scheme}://{url.host}{port}"


def azure_base_url(tables: Tables) -> Iterator[Finding]:
    """A resource's address with a path."""
    if isinstance(tables.endpoint, AzureEndpoint) and (tables.endpoint.base_url.path or "/") != "/":
        hint = (
            f'write base_url = "{origin(tables.endpoint.base_url)}"; a gateway with a path is an endpoint of '
            'kind = "custom"'
        )
        yield ("endpoint", "base_url"), "must be the resource alone, without a path", hint, "value"


def base_url_path(tables: Tables) -> Iterator[Finding]:
    """A base that is the whole address of something, or OpenAI's without its version."""
    if isinstance(tables.endpoint, LocalEndpoint) and isinstance(tables.endpoint.brain, ChatBrain):
        url = tables.endpoint.brain.base_url
        if whole := _WHOLE_PATH.fullmatch(url.path or ""):
            hint = f'write base_url = "{origin(url)}{whole["base"]}"'
            problem = "must be the base alone, to which /chat/completions is added"
            yield ("endpoint", "brain", "base_url"), problem, hint, "value"
    if not isinstance(tables.endpoint, OpenAIEndpoint | CustomEndpoint):
        return
    url = tables.endpoint.base_url
    path = url.path or ""
    whole = _WHOLE_PATH.fullmatch(path)
    if _OPENAI_HOST.fullmatch(url.host or ""):
        if path.rstrip("/") != "/v1":
            hint = f'write base_url = "{origin(url)}/v1"'
            yield ("endpoint", "base_url"), "is not OpenAI's base, which ends in /v1", hint, "value"
    elif whole:
        hint = f'write base_url = "{origin(url)}{whole["base"]}"'
        yield ("endpoint", "base_url"), "must be the base alone, to which /realtime is added", hint, "value"


def base_url_query(tables: Tables) -> Iterator[Finding]:
    """A base with parameters, which have a key of their own, or with a fragment, which is never sent."""
    if isinstance(tables.endpoint, LocalEndpoint) and isinstance(tables.endpoint.brain, ChatBrain):
        url = tables.endpoint.brain.base_url
        if url.query is not None or url.fragment is not None:
            hint = "remove what follows the path"
            yield ("endpoint", "brain", "base_url"), "must not have a query or a fragment", hint, "value"
        return
    if tables.endpoint is None or isinstance(tables.endpoint, LocalEndpoint):
        return
    url = tables.endpoint.base_url
    if url.query is not None:
        hint = "write parameters in endpoint.query"
        if isinstance(tables.endpoint, AzureEndpoint):
            hint = "a deployment is written in model.name, and the current API takes no api-version"
        yield ("endpoint", "base_url"), "must not have a query", hint, "value"
    elif url.fragment is not None:
        yield ("endpoint", "base_url"), "must not have a fragment", "remove # and what follows it", "value"


def query_parameter(tables: Tables) -> Iterator[Finding]:
    """A parameter of a hosted endpoint that rt-run writes itself, from other keys."""
    if not is_hosted(tables):
        return
    query = at(tables.tree, ("endpoint", "query"))
    for name in query if isinstance(query, dict) else ():
        hint = _OWN_PARAMETERS.get(name.lower(), "")
        if not hint:
            continue
        problem = "rt-run writes this parameter itself"
        if name.lower() == "api-version" and not speaks_preview(tables):
            problem = "the current API takes no api-version"
        yield ("endpoint", "query", name), problem, hint, "key"


def endpoint_kind(tables: Tables) -> Iterator[Finding]:
    """An address of OpenAI on an endpoint of Azure's kind, or the other way round."""
    if isinstance(tables.endpoint, OpenAIEndpoint) and _AZURE_HOST.fullmatch(tables.endpoint.base_url.host or ""):
        problem, hint = "is an Azure resource, which takes other addresses and headers", 'write kind = "azure"'
    elif isinstance(tables.endpoint, AzureEndpoint) and _OPENAI_HOST.fullmatch(tables.endpoint.base_url.host or ""):
        problem, hint = "is OpenAI's own service, not an Azure resource", 'write kind = "openai"'
    else:
        return
    yield ("endpoint", "base_url"), problem, hint, "value"


def example_address(tables: Tables) -> Iterator[Finding]:
    """The address of an example, where an own one belongs."""
    if tables.endpoint is not None and not isinstance(tables.endpoint, LocalEndpoint):
        host = tables.endpoint.base_url.host or ""
        if _EXAMPLE_HOST.fullmatch(host):
            hint = "write the address of your own endpoint"
            yield ("endpoint", "base_url"), f"{host} is the address of an example", hint, "value"


def header_refused(tables: Tables) -> Iterator[Finding]:
    """A header that HTTP does not take, that belongs to the handshake, or that stands there twice."""
    endpoint = tables.tree.get("endpoint")
    if not isinstance(endpoint, dict):
        return
    headers = endpoint.get("headers")
    seen: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, dict) else ():
        problem, hint = header_problem(name, value) if isinstance(value, str) else ("", "")
        if problem:
            yield ("endpoint", "headers", name), problem, hint, "value"
        elif name.lower() in seen:
            problem = f"stands there twice: HTTP takes {seen[name.lower()]} for the same header"
            yield ("endpoint", "headers", name), problem, "remove one of them", "key"
        seen[name.lower()] = name
    for name in _HEADERS_OF_KEYS:
        value = endpoint.get(name)
        problem, hint = header_problem("", value) if isinstance(value, str) else ("", "")
        if problem:
            yield ("endpoint", name), problem, hint, "value"


def proxy_in_clear(tables: Tables) -> Iterator[Finding]:
    """A proxy between this machine and an endpoint that is spoken to without TLS."""
    endpoint = tables.endpoint
    if endpoint is None or isinstance(endpoint, LocalEndpoint) or endpoint.proxy is None:
        return
    if endpoint.base_url.scheme == "http":
        problem = "an endpoint that is spoken to without TLS takes no proxy between"
        yield ("endpoint", "proxy"), problem, "remove it, or use https://", "value"
