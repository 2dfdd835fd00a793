"""Keys that other clients of the API have, and where the same thing is written here."""

from runner.profile.keys import Key

_MODEL = "write model.name"
_ADDRESS = "write endpoint.base_url"
_KEY = 'write a reference in [auth], such as api_key = { env = "OPENAI_API_KEY" }'
_TIMEOUT = "write endpoint.connect_timeout_s"
_INSTRUCTIONS = "write session.instructions"
_HEADERS = "write endpoint.headers"
_QUERY = "write endpoint.query"
_TRUST = "certificates are always checked; endpoint.ca_file names authorities to trust"
_HINTS = {
    "deployment": _MODEL,
    "deployment_id": _MODEL,
    "deployment_name": _MODEL,
    "azure_deployment": _MODEL,
    "engine": _MODEL,
    "model": _MODEL,
    "model_name": _MODEL,
    "api_base": _ADDRESS,
    "azure_endpoint": _ADDRESS,
    "host": _ADDRESS,
    "resource": _ADDRESS,
    "url": _ADDRESS,
    "api_key": _KEY,
    "apikey": _KEY,
    "azure_ad_token": 'write auth.kind = "entra"',
    "azure_api_key": _KEY,
    "key": _KEY,
    "openai_api_key": _KEY,
    "token": _KEY,
    "timeout": _TIMEOUT,
    "timeout_ms": _TIMEOUT,
    "timeout_s": _TIMEOUT,
    "system": _INSTRUCTIONS,
    "system_message": _INSTRUCTIONS,
    "system_prompt": _INSTRUCTIONS,
    "default_headers": _HEADERS,
    "extra_headers": _HEADERS,
    "default_query": _QUERY,
    "extra_query": _QUERY,
    "insecure_skip_verify": _TRUST,
    "ssl_verify": _TRUST,
    "verify": _TRUST,
    "verify_ssl": _TRUST,
    "max_retries": "write run.reconnect.max_attempts",
    "retries": "write run.reconnect.max_attempts",
    "stream": "answers always stream; remove it",
}
_RUN_COMMAND = 'write run = { kind = "command", argv = ["PROGRAM"] }'
_RUN_HTTP = 'write run = { kind = "http", url = "https://…" }'
_SCHEMA = "write parameters, the JSON Schema of the arguments"
_OF_TOOLS = {
    "argv": _RUN_COMMAND,
    "command": _RUN_COMMAND,
    "exec": _RUN_COMMAND,
    "function": 'write run = { kind = "python", function = "package.module:function" }',
    "handler": 'write run = { kind = "python", function = "package.module:function" }',
    "url": _RUN_HTTP,
    "args": _SCHEMA,
    "arguments": _SCHEMA,
    "input_schema": _SCHEMA,
    "inputschema": _SCHEMA,
    "schema": _SCHEMA,
    "timeout": "write timeout_s",
    "type": "every tool here is a function; remove it",
    "require_approval": "write approval",
}
_TABLES = frozenset({"endpoint", "auth", "model", "session", "run"})


def foreign_hint(key: Key) -> str:
    """Where something is written that other clients know by this key; empty where none does."""
    if key[0] == "tools" and len(key) == 3:
        return _OF_TOOLS.get(str(key[-1]).lower(), "")
    at_top = len(key) == 1 or (len(key) == 2 and key[0] in _TABLES)
    return _HINTS.get(str(key[-1]).lower(), "") if at_top else ""
