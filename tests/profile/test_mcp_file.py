"""The servers of a file that other clients take become servers of the profile."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner import redaction
from runner.profile import ProfileProblems, load_profile
from runner.profile.load import LoadedProfile
from runner.profile.mcp_file import servers_of
from runner.settings.mcp_server import HttpServer, StdioServer

PROFILE = """
version = 1
[endpoint]
kind = "local"
[[mcp_servers]]
run = { kind = "file", path = "mcp.json" }
timeout_s = 5
[[mcp_servers]]
name = "own"
run = { kind = "stdio", argv = ["own"] }
"""


def loaded(folder: Path, document: Any) -> LoadedProfile:
    """The profile beside a file that holds this."""
    (folder / "mcp.json").write_text(document if isinstance(document, str) else json.dumps(document))
    (folder / "a.toml").write_text(PROFILE)
    return load_profile(folder / "a.toml")


def test_each_server_of_the_file_is_one_of_the_profile(tmp_path: Path) -> None:
    """With the limits that the profile says for the file; what is disabled, or not known, is left out."""
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    servers = {
        "git hub": {
            "command": "./serve",
            "args": ["-y"],
            "env": {"GITHUB_TOKEN": secret, "MODE": "x"},
            "alwaysAllow": [],
        },
        "web": {"type": "http", "url": "https://example.com/mcp", "headers": {"X-Team": "blue"}},
        "off": {"command": "no", "disabled": True},
    }

    found = loaded(tmp_path, {"mcpServers": servers})

    first, own, web = found.profile.mcp_servers
    assert isinstance(first.run, StdioServer)
    assert isinstance(web.run, HttpServer)
    assert [(each.name, each.timeout_s) for each in (first, own, web)] == [("git_hub", 5), ("own", 20), ("web", 5)]
    assert (first.run.argv, first.run.env["MODE"]) == ([str(tmp_path / "serve"), "-y"], "x")
    assert (str(web.run.url), web.run.headers) == ("https://example.com/mcp", {"X-Team": "blue"})
    assert [(each.key, each.code) for each in found.warnings] == [
        ('mcpServers."git hub".alwaysAllow', "mcp-file-key"),
        ('mcpServers."git hub".env.GITHUB_TOKEN', "literal-secret"),
    ]
    assert secret not in redaction.redact(secret)


@pytest.mark.parametrize(
    ("document", "key", "problem"),
    [
        ("{", "", "is not JSON"),
        ([], "", "has no mcpServers"),
        ({"mcpServers": {}}, "mcp_servers.0.run.path", "there is no server in"),
        ({"servers": {"a": 5}}, "servers.a", "must be an object"),
        (
            {"mcpServers": {"a": {"type": "sse", "url": "https://h"}}},
            "mcpServers.a.type",
            "transport sse is not spoken",
        ),
        ({"mcpServers": {"a": {"type": "pigeon"}}}, "mcpServers.a.type", 'must be "stdio" or "http"'),
        ({"mcpServers": {"a": {}}}, "mcpServers.a.command", "is missing"),
        ({"mcpServers": {"a": {"url": 5}}}, "mcpServers.a.url", "must be a text"),
        ({"mcpServers": {"a": {"command": "x", "args": "y"}}}, "mcpServers.a.args", "must be an array of texts"),
        ({"mcpServers": {"a": {"command": "x", "cwd": 1}}}, "mcpServers.a.cwd", "must be a text"),
        ({"mcpServers": {"a": {"command": "x", "env": {"A": 1}}}}, "mcpServers.a.env", "must be an object of texts"),
        ({"mcpServers": {"a": {"command": "x", "env": {"A": "${B}"}}}}, "mcpServers.a.env.A", "nothing is filled in"),
        ({"mcpServers": {"own": {"command": "x"}}}, "mcp_servers.1.name", "server 1 has this name already"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, document: Any, key: str, problem: str) -> None:
    """With its place in the file, and nothing is filled in from the environment."""
    with pytest.raises(ProfileProblems) as caught:
        loaded(tmp_path, document)

    (only,) = caught.value.problems
    assert only.key == key
    assert problem in only.problem


def test_a_folder_of_nobody_is_taken_as_it_stands(tmp_path: Path) -> None:
    """Starting the server says that it is missing."""
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x", "cwd": "~nobody-of-this-name/b"}}}')

    (server,) = servers_of(tmp_path / "mcp.json").servers

    assert server["run"]["cwd"] == f"{tmp_path}/~nobody-of-this-name/b"
