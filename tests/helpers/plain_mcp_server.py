"""An MCP server of an older protocol, without the library; its argument is how many tools more it lists."""

import json
import os
import sys
from typing import Any

PAGE = 100
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
NAMES = ["echo", "look.up", "environment", "die", "never", "more", "broken", "refuse"]


def main() -> None:
    """Answer requests, one a line, until the input ends."""
    tools: list[dict[str, Any]] = [{"name": name, "description": name.title(), "inputSchema": SCHEMA} for name in NAMES]
    tools[NAMES.index("broken")]["inputSchema"] = {"type": "object", "properties": {"x": {"type": 7}}}
    tools += [{"name": f"tool_{number}", "inputSchema": SCHEMA} for number in range(int((*sys.argv, "0")[1]))]
    sys.stderr.write("ready\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        answer: dict[str, Any] | None
        method, given = request["method"], request.get("params") or {}
        if method == "initialize":
            info = {"name": "plain", "version": "1"}
            answer = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": info,
            }
        elif method == "tools/list":
            start = int(given.get("cursor") or 0)
            answer = {"tools": tools[start : start + PAGE]}
            if start + PAGE < len(tools):
                answer["nextCursor"] = str(start + PAGE)
        elif method == "tools/call":
            answer = _called(given["name"], given.get("arguments") or {}, tools)
            if answer is None:
                continue
        else:
            _send(id=request["id"], error={"code": -32601, "message": "Method not found"})
            continue
        if "error" in answer:
            _send(id=request["id"], error=answer["error"])
        else:
            _send(id=request["id"], result=answer)


def _called(name: str, arguments: dict[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    if name == "die":
        os._exit(1)
    if name == "never":
        return None
    if name == "refuse":
        return {"error": {"code": -32000 - 5, "message": "not today"}}
    if name == "more":
        tools.append({"name": "new", "inputSchema": SCHEMA})
        _send(method="notifications/tools/list_changed")
    text = json.dumps(dict(os.environ)) if name == "environment" else arguments.get("text", str(os.getpid()))
    picture = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    content = [{"type": "text", "text": text}, *([picture] if name == "look.up" else [])]
    return {"content": content, "isError": text == "fail"}


def _send(**fields: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **fields}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["silent"]:
        sys.stdin.read()
    else:
        main()
