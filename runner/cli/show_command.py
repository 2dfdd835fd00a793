"""`rt-run show`: the effective settings of a profile, each with where it came from."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir, add_values, given_values, takes_profile
from runner.cli.plain_text import write_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.profile import LoadedProfile
    from runner.settings.mcp_server import HostedServer, McpServerSettings
    from runner.settings.profile import Profile


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "show",
        does="print the effective settings and where each came from",
        more="Secrets stay references, and headers are masked.",
        examples=["rt-run show support", "rt-run show support --request --set session.audio.output.voice=cedar"],
    )
    takes_profile(parser.add_argument("name", metavar="NAME|PATH", help="the profile to show"))
    parser.add_argument(
        "--request", action="store_true", help="print what is sent first: URL, header names, session.update"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the output")
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the settings, or with `--request` what a session sends first; secrets stay references."""
    from runner.profile import load_profile

    loaded = load_profile(args.name, **given_values(args))
    for warning in [*loaded.warnings, *loaded.left_out]:
        write_plain(f"warning: {warning}\n", sys.stderr)
    text = (_request if args.request else _settings)(loaded, args.output)
    write_plain(text + "\n")
    return 0


def _settings(loaded: LoadedProfile, form: str) -> str:
    import json

    from runner.profile.keys import dotted

    rows = [(dotted(key), value, str(loaded.origins.of(key))) for key, value in _values(loaded)]
    if form == "json":
        return json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}, indent=2)
    lines = [(f"{key} = {_toml(value)}", origin) for key, value, origin in rows]
    width = min(max(len(text) for text, _ in lines), 60)
    return "\n".join(f"{text:<{width}}  # {origin}" for text, origin in lines)


def _values(loaded: LoadedProfile) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    from runner.cli.private_values import masked
    from runner.profile.keys import dotted
    from runner.redaction import MASK

    tree = loaded.profile.model_dump(mode="json")
    for each in tree["variables"].values():
        if each["secret"] and each["default"]:
            each["default"] = MASK
    for key, value in _lines(masked(tree), ()):
        if value is None and dotted(key) in loaded.origins:
            yield key, "none"
        elif value is not None:
            yield key, value


def _lines(tree: Any, key: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(tree, dict) and tree:
        for name, value in sorted(tree.items(), key=lambda item: item[0] not in ("kind", "type", "name")):
            yield from _lines(value, (*key, name))
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for index, value in enumerate(tree):
            yield from _lines(value, (*key, index))
    else:
        yield key, tree


def _request(loaded: LoadedProfile, form: str) -> str:
    import json
    from datetime import UTC, datetime

    from runner.cli.private_values import masked
    from runner.connect.address import address_of
    from runner.connect.credentials import credential_header
    from runner.profile.filling import filled_for_show
    from runner.protocol.preview import to_preview
    from runner.protocol.session_update import session_update
    from runner.settings.endpoint import AzureEndpoint

    endpoint = loaded.profile.endpoint
    header = credential_header(loaded.profile)
    address = address_of(loaded.profile, {header: ""} if header else {})
    url = address.shown_url()
    profile = filled_for_show(loaded.profile, name=loaded.name, started=datetime.now(UTC))
    event = session_update(profile)
    if profile.session.type == "realtime" and (known := _known_tools(profile)):
        event["session"]["tools"] = [*event["session"].get("tools", []), *known]
    if isinstance(endpoint, AzureEndpoint) and endpoint.speaks_preview:
        event = to_preview(event)
    event = masked(event)
    if form == "json":
        return json.dumps({"url": url, "headers": list(address.headers), "first_event": event}, indent=2)
    headers = ", ".join(address.headers) or "none"
    text = f"GET {url}\nheaders: {headers}\n{json.dumps(event, indent=2, ensure_ascii=False)}"
    if any(each.run.kind != "hosted" for each in profile.mcp_servers) or any(
        each.run.kind == "python" for each in profile.tools
    ):
        text += f"\nfunctions and MCP servers say at the start what they offer: rt-run tools {loaded.name}"
    return text


def _known_tools(profile: Profile) -> list[dict[str, Any]]:
    """The tools of a profile that are known before it opens; those of functions and of our own servers are not."""
    from runner.settings.mcp_server import HostedServer

    hosted = [_hosted(each, each.run) for each in profile.mcp_servers if isinstance(each.run, HostedServer)]
    if not profile.tools and not profile.run.tools.hang_up:
        return hosted
    from runner.tools.end_session import END_SESSION_TOOL
    from runner.tools.profile_tools import profile_sources

    built_in = [END_SESSION_TOOL.definition] if profile.run.tools.hang_up else []
    return [*built_in, *(tool.definition for source in profile_sources(profile) for tool in source.tools()), *hosted]


def _hosted(settings: McpServerSettings, run: HostedServer) -> dict[str, Any]:
    """A server as the endpoint is told of it, with empty texts for its secrets, which nobody is shown."""
    from runner.tools.hosted_server import public_entry

    given: dict[str, Any] = {"headers": dict.fromkeys(run.headers, "")} if run.headers else {}
    return public_entry(settings, run) | ({"authorization": ""} if run.authorization else {}) | given


def _toml(value: Any) -> str:
    import json

    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items()) + " }"
            if value
            else "{}"
        )
    return json.dumps(value, ensure_ascii=False)
