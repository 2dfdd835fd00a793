"""Rules about what the model may call; `rules.py` has their codes."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from runner.profile.keys import Key, at, leaves
from runner.profile.suggestion import nearest
from runner.profile.tables import Finding, Tables
from runner.profile.tool_keys import given_texts, tool_schemas, tools_of
from runner.settings.headers import request_header_problem
from runner.settings.hosts import is_loopback
from runner.settings.input import StdinInput, answers_calls
from runner.settings.profile import is_live
from runner.settings.tool_use import END_SESSION

_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]


def tool_twice(tables: Tables) -> Iterator[Finding]:
    """Two tools with one name, or one with the name of a tool that is built in."""
    owners: dict[str, str] = {}
    if at(tables.tree, ("run", "tools", "hang_up")) is True:
        owners[END_SESSION] = "the tool of run.tools.hang_up"
    for key, name in _names(tables.tree):
        owner = f"tool {int(key[-2]) + 1}" if key[0] == "tools" else "a tool of session.tools"
        if name in owners:
            yield key, f"{owners[name]} has this name already", "give each a name of its own", "value"
        owners.setdefault(name, owner)


def _names(tree: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    declared = [key for key, _ in tools_of(tree) if key[0] == "tools"]
    described = at(tree, ("session", "tools"))
    sent: list[Key] = [("session", "tools", index) for index in range(len(described))] if _is_list(described) else []
    for key in (*declared, *sent):
        if isinstance(name := at(tree, (*key, "name")), str):
            yield (*key, "name"), name


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def tools_unsupported(tables: Tables) -> Iterator[Finding]:
    """Tools in a session that has no model to call them."""
    if not tables.session or tables.session.type == "realtime":
        return
    problem, hint = f"a {tables.session.type} session calls no tools", "remove them"
    if is_live(tables.session):
        if tables.session.delegation and tables.session.delegation.type == "responses":
            return
        problem = "a Live model calls no tools itself"
        hint = 'write [session.delegation] with type = "responses" and responses = { model = "…" }, which calls them'
    for name in ("tools", "mcp_servers"):
        if tables.tree.get(name):
            yield (name,), problem, hint, "key"
    if is_live(tables.session) and at(tables.tree, ("run", "tools", "hang_up")) is True:
        yield ("run", "tools", "hang_up"), problem, hint, "key"


def delegate_unsupported(tables: Tables) -> Iterator[Finding]:
    """Somebody who does what no model delegates to the client."""
    session = tables.session
    if "delegate" in tables.tree and session:
        if not is_live(session):
            yield ("delegate",), f"a {session.type} session delegates nothing", "write [[tools]]", "table"
        elif session.delegation is not None and session.delegation.type != "client":
            problem = f"the model delegates to {session.delegation.type}, not to the client"
            yield ("delegate",), problem, 'remove it, or write session.delegation = { type = "client" }', "table"


def delegation_unanswered(tables: Tables) -> Iterator[Finding]:
    """A Live model that delegates to a client who does nothing."""
    session = tables.session
    if not is_live(session) or "delegate" in tables.tree or tables.input is None:
        return
    is_client = session.delegation is None or session.delegation.type == "client"
    if is_client and not answers_calls(tables.input):
        hint = "write [delegate], or [session.delegation] with the type responses, or a program does it over the API"
        problem = "nothing does what the model delegates, and it says nothing for almost a minute then"
        yield ("session", "delegation"), problem, hint, "table"


def tool_undescribed(tables: Tables) -> Iterator[Finding]:
    """A tool of which the model learns only the name."""
    for key, tool in tools_of(tables.tree):
        run = tool.get("run")
        describes_itself = key[0] != "tools" or not isinstance(run, dict) or run.get("kind") == "python"
        if not describes_itself and not tool.get("description"):
            problem = "is missing: the model is not told what the tool is for"
            yield (*key, "description"), problem, "write when and how to call it", "table"


def tool_schema(tables: Tables) -> Iterator[Finding]:
    """Parameters that are no JSON Schema of an object, or that refer to what is not in them."""
    for key, schema in tool_schemas(tables.tree):
        if not isinstance(schema.get("$schema", ""), str):
            yield (*key, "$schema"), "must be the name of a dialect", "remove it", "value"
        elif schema.get("type") != "object":
            hint = 'write type = "object", and the arguments below properties'
            yield (*key, "type"), "arguments are always an object", hint, "value" if "type" in schema else "table"
        else:
            yield from _of_schema(key, schema)


def _of_schema(key: Key, schema: dict[str, Any]) -> Iterator[Finding]:
    # Whoever declares no schema need not wait for its import.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        at_key = (*key, *error.absolute_path)
        value = at(schema, tuple(error.absolute_path))
        near = nearest(value, _TYPES) if at_key[-1] == "type" and isinstance(value, str) else []
        problem = (
            f"must be one of {', '.join(_TYPES)}" if at_key[-1] == "type" else f"is no JSON Schema: {error.message}"
        )
        yield at_key, problem[:300], f'did you mean "{near[0]}"?' if near else "", "value"
        return
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for below, reference in leaves(schema):
        if below[-1] == "$ref" and isinstance(reference, str) and "$id" not in schema:
            try:
                resolver.lookup(reference)
            except Unresolvable:
                problem = f"refers to {reference[:200]!r}, which is not in this schema"
                yield (*key, *below), problem, "write it below $defs; nothing is fetched", "value"


def tool_in_clear(tables: Tables) -> Iterator[Finding]:
    """A request to another machine without TLS, which nobody has asked for."""
    for key, url in _addresses(tables):
        run = at(tables.tree, key[:-1])
        if url.scheme == "http" and not is_loopback(url.hostname or "") and run.get("insecure") is not True:
            hint = "write https://, or on a network that is trusted as a whole insecure = true"
            yield key, "http:// to another machine can be read and changed on the way", hint, "value"


def tool_proxy_in_clear(tables: Tables) -> Iterator[Finding]:
    """A proxy before a tool that is asked without TLS."""
    for key, url in _addresses(tables):
        if url.scheme == "http" and at(tables.tree, (*key[:-1], "proxy")):
            yield (*key[:-1], "proxy"), "no proxy stands before what is asked without TLS", "remove it", "key"


def _addresses(tables: Tables) -> Iterator[tuple[Key, Any]]:
    for key, _ in tools_of(tables.tree):
        url = at(tables.tree, (*key, "run", "url"))
        if isinstance(url, str):
            try:
                yield (*key, "run", "url"), urlsplit(url)
            except ValueError:
                continue


def tool_header_refused(tables: Tables) -> Iterator[Finding]:
    """A header of a tool that HTTP does not take."""
    for key, value in given_texts(tables.tree):
        if key[-2] == "headers":
            problem, hint = request_header_problem(str(key[-1]), value)
            if problem:
                yield key, problem, hint, "value"


def approval_unanswered(tables: Tables) -> Iterator[Finding]:
    """An approval that nobody can give, unless a program does over the Python API."""
    is_chat = tables.input is not None and isinstance(tables.input, StdinInput) and tables.input.format == "text"
    asks = is_chat or "control" in tables.tree
    for key, tool in tools_of(tables.tree):
        if tool.get("approval") == "always" and tables.input is not None and not asks:
            problem = "nobody can answer here, so every call is denied"
            hint = (
                'a chat asks, a Python program, and rt-run ctl with [control]; { command = ["PROGRAM"] } asks a program'
            )
            yield (*key, "approval"), problem, hint, "value"
