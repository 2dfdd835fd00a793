"""`python -m tests.endurance.rollovers [COUNT]`: one conversation over so many connections that expire.

The endpoint ends each connection after a few seconds; a conversation of hours is so compressed into minutes. In the end
every turn has to stand once and in order, in the session's own history and in the endpoint's.
"""

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.endpoint import LocalEndpoint
from runner.settings.profile import Profile

LIFE_S = 3.0
"""The least that says anything to a session: an endpoint names its end in whole seconds."""
HISTORY_ITEMS = 256
"""What each connection is told, which is the default; so much of the endpoint's own history is compared."""

_PAUSE_S = 0.05


def _profile(port: int) -> Profile:
    return Profile.model_validate(
        {
            "version": 1,
            "endpoint": {"kind": "custom", "base_url": f"http://127.0.0.1:{port}/v1"},
            "model": {"name": "test"},
            "session": {"output_modalities": ["text"]},
            # Lives of three seconds are what is tried here, and no failures.
            "run": {"history": {"max_items": HISTORY_ITEMS, "max_tokens": 1_000_000}, "reconnect": {"stable_s": 1}},
        }
    )


class _Retrieved:
    """Reads what the endpoint says that it holds."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def take(self, update: Update) -> None:
        """Keep the text of an item that was asked for."""
        if update.event and update.event["type"] == "conversation.item.retrieved":
            self.texts.append("".join(part["text"] for part in update.event["item"]["content"]))


@asynccontextmanager
async def _conversation(retrieved: _Retrieved) -> AsyncIterator[Session]:
    endpoint = LocalEndpoint(kind="local", session_limit_s=LIFE_S, delta_interval_ms=20)
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, LocalApp(endpoint), "127.0.0.1", 0)
        async with open_session(_profile(port), readers=[retrieved.take]) as session:
            yield session
        tasks.cancel_scope.cancel()


async def lived(rollovers: int) -> dict[str, Any]:
    """Talk until the session has moved so often; returns what was found out."""
    turns, sizes_mb, retrieved = 0, list[float](), _Retrieved()
    started_s = time.monotonic()
    async with _conversation(retrieved) as session:
        while session.epoch <= rollovers:
            turns += 1
            await session.say(f"turn {turns}")
            await session.wait_answered()
            await anyio.sleep(_PAUSE_S)
            if turns % 10 == 0:
                sizes_mb.append(_memory_mb())
        expected = [text for turn in range(1, turns + 1) for text in (f"turn {turn}", f"You said: turn {turn}")]
        kept = [item.text for item in session.state.conversation.items]
        recent = session.state.conversation.items[-HISTORY_ITEMS:]
        for item in recent:
            await session.send({"type": "conversation.item.retrieve", "item_id": item.id})
        while len(retrieved.texts) < len(recent):
            await session.changes.next()
        connections = session.epoch
    fifth = max(1, len(sizes_mb) // 5)
    return {
        "rollovers": connections - 1,
        "turns": turns,
        "history_exact": kept == expected,
        "endpoint_exact": retrieved.texts == expected[-HISTORY_ITEMS:],
        "responses": session.usage.responses,
        # By the second fifth the history is as long as it may become.
        "memory_second_fifth_mb": round(sum(sizes_mb[fifth : 2 * fifth]) / fifth, 2),
        "memory_last_fifth_mb": round(sum(sizes_mb[-fifth:]) / fifth, 2),
        "took_s": round(time.monotonic() - started_s, 1),
    }


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1_000_000


if __name__ == "__main__":
    found = anyio.run(lived, int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    print(json.dumps(found, indent=2))
    sys.exit(not (found["history_exact"] and found["endpoint_exact"] and found["turns"] == found["responses"]))
