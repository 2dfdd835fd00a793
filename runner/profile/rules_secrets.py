"""Secrets that stand in a profile by mistake: found before anything else looks, and never shown."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from runner.profile.keys import Key, at, is_key_shaped, leaves, looks_secret
from runner.profile.layers import Layer
from runner.profile.problems import Problem, problem_at
from runner.settings.auth import KEY_VARIABLES
from runner.settings.base_url import USER_INFO_PROBLEM, has_user_info
from runner.settings.secret import KINDS

CODE = "literal-secret"
PROBLEM = "a secret is a reference, never a value"

_SECRET_KEYS = re.compile(r"key|secret|token|password|passphrase|bearer", re.IGNORECASE)
_CREDENTIAL_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "api-key",
        "x-api-key",
        "cookie",
        "ocp-apim-subscription-key",
    }
)
_SECRET_NAMES = re.compile(
    r"(?<!idempotency[-_])key$|secret|token(?!s)|password|passphrase|bearer|signature|^sig$", re.IGNORECASE
)
"""Names of headers and query parameters that carry credentials: API gateways, signed URLs, identity services."""
_PARAMETER = re.compile(r"[?&]([^=&#]+)=")
_USER_INFO = re.compile(r"://[^/?#\s]*@")
_WEBHOOK: Key = ("report", "webhook", "secret")
_SETTINGS = frozenset({"kind", "header", "credential", "scope", "tenant_id", "client_id", "certificate_file"})


def literal_secrets(layer: Layer) -> list[tuple[Key, Problem]]:
    """Every secret that one layer spells out, by its key."""
    usual = KEY_VARIABLES["azure" if at(layer.data, ("endpoint", "kind")) == "azure" else "openai"]
    found: dict[Key, Problem] = {}
    is_given = layer.kind in ("environment", "flag")
    for key, problem in _findings(layer.data):
        if key[0] == "variables" and is_given:
            continue
        variable = "AZURE_CLIENT_SECRET" if "client_secret" in key else usual
        advice = _HINTS.get(problem, _A_REFERENCE).replace(KEY_VARIABLES["openai"], variable)
        found.setdefault(key, problem_at(layer.place(key), key, problem, advice, code=CODE))
    return list(found.items())


def _findings(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    auth = data.get("auth")
    if isinstance(auth, str) and is_key_shaped(auth):
        yield ("auth",), PROBLEM
    for name, value in auth.items() if isinstance(auth, dict) else ():
        if _is_secret_key(name) and not (isinstance(value, dict) and any(kind in value for kind in KINDS)):
            for key, leaf in leaves(value, ("auth", name)):
                if not isinstance(leaf, dict):
                    yield key if isinstance(value, dict) else ("auth", name), PROBLEM
    yield from _instead_of_names(data)
    yield from _secret_values(data)
    yield from _anywhere(data)


def _instead_of_names(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Keys that stand where the name of their variable, file, credential or program belongs."""
    for place in (("auth", "api_key"), ("auth", "client_secret"), ("endpoint", "brain", "api_key"), _WEBHOOK):
        for key in (*((*place, kind) for kind in KINDS), (*place, "command", 0)):
            value = at(data, key)
            if isinstance(value, str) and is_key_shaped(value):
                yield key, _IN_REFERENCE


def _secret_values(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """The values that are written beside the word that they are secret."""
    variables = data.get("variables")
    for name, each in variables.items() if isinstance(variables, dict) else ():
        if isinstance(each, dict) and each.get("secret") is True and each.get("default"):
            yield ("variables", name, "default"), _IN_VARIABLE


def _anywhere(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    for key, value in leaves(data):
        if _is_header(key) and isinstance(key[-1], str) and names_credential(key[-1]):
            yield key, _IN_HEADER
        elif (_is_parameter(key) and names_credential(str(key[-1]))) or _has_credential_in_query(key, value):
            yield key, _IN_TOOL_QUERY if _is_of_tool(key) else _IN_QUERY
        elif _is_given_to_tool(key) and isinstance(value, str) and value and names_credential(str(key[-1])):
            yield key, _IN_GIVEN
        elif key[:2] == ("session", "tools") and key[-1] == "authorization":
            yield key, _IN_TOOL
        elif isinstance(value, str) and _is_address(key) and (_USER_INFO.search(value) or has_user_info(value)):
            yield key, _IN_URL
        elif (isinstance(value, str) and looks_secret(value)) or any(looks_secret(str(part)) for part in key):
            yield key, PROBLEM


def _is_address(key: Key) -> bool:
    is_of_tool = _is_of_tool(key) and key[-1] in ("url", "server_url", "proxy")
    return key[0] in ("endpoint", "auth") or is_of_tool or (key[:2] == ("session", "tools") and key[-1] == "server_url")


def _is_of_tool(key: Key) -> bool:
    return key[:1] in (("tools",), ("mcp_servers",))


def _is_given_to_tool(key: Key) -> bool:
    """Whether it is a variable or a header that a tool is given as it stands."""
    return _is_of_tool(key) and len(key) > 3 and key[-2] in ("env", "headers")


def _is_secret_key(name: str) -> bool:
    return name not in _SETTINGS and _SECRET_KEYS.search(name) is not None


def _is_header(key: Key) -> bool:
    return key[:2] == ("endpoint", "headers") or (key[:2] == ("session", "tools") and "headers" in key)


def _is_parameter(key: Key) -> bool:
    return key[:2] == ("endpoint", "query") and len(key) > 2


def _has_credential_in_query(key: Key, value: Any) -> bool:
    return (
        (key == ("endpoint", "base_url") or (_is_of_tool(key) and key[-1] == "url"))
        and isinstance(value, str)
        and any(names_credential(unquote(name)) for name in _PARAMETER.findall(value))
    )


def names_credential(name: str) -> bool:
    """Whether a header, a variable or a parameter of this name carries a credential."""
    return name.lower() in _CREDENTIAL_HEADERS or _SECRET_NAMES.search(name) is not None


_IN_HEADER = "a credential does not belong among the headers"
_IN_QUERY = "a credential does not belong in the query"
_IN_TOOL_QUERY = "a credential does not belong in the query of a tool"
_IN_URL = USER_INFO_PROBLEM
_IN_REFERENCE = "this looks like the secret itself, where its name belongs"
_IN_TOOL = "a token does not belong in a profile, and this field takes no reference"
_IN_GIVEN = "a credential does not belong in a profile"
_IN_VARIABLE = "a secret value does not belong in a profile"
_USE_AUTH = 'use [auth] with a reference, such as api_key = { env = "OPENAI_API_KEY" }'
_A_REFERENCE = '{ env = "OPENAI_API_KEY" }'
_HINTS = {
    _IN_HEADER: _USE_AUTH,
    _IN_QUERY: _USE_AUTH,
    _IN_TOOL_QUERY: 'write a header with a reference, such as headers = { Authorization = { env = "ORDERS_TOKEN" } }',
    _IN_REFERENCE: 'export it, such as OPENAI_API_KEY=…, and write the name: { env = "OPENAI_API_KEY" }',
    _IN_GIVEN: 'write a reference instead, such as { env = "ORDERS_TOKEN" }',
    _IN_VARIABLE: "write required = true, and give it in a variable RT_RUN_VAR_…, or in a file after --vars",
    _IN_URL: "use [auth] for the endpoint; a proxy that wants a password is given in HTTPS_PROXY",
    _IN_TOOL: "let a connector hold it (`connector_id`), or send the tool over the Python API",
}
