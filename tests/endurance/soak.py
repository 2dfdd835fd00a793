"""`python -m tests.endurance.soak [MINUTES] [SESSIONS]`: many conversations at once, and faults at random.

Conversations come and go; every turn has to be answered once, whatever befalls its connection. Tasks, open files and
memory of the process are told as they go, and may not grow from the second fifth of the time to the last.
"""

import asyncio
import json
import random
import re
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

import anyio

from runner import logs
from runner.errors import RunnerError
from runner.session.opening import open_session
from runner.session.session import Session
from runner.settings.profile import Profile
from tests.endurance.crowd import endpoint

_FAULTS = [
    "kind=drop,chance=0.2,after_s={5}",
    "kind=drop,chance=0.2,after_events=35",
    "kind=close,code=1011,chance=0.1,after_s={8}",
    "kind=stall,chance=0.1,after_s={6}",
    "kind=no-pong,chance=0.1,after_s={7}",
    "kind=garbage,chance=0.05,after_s={9}",
    "kind=malformed,chance=0.1,after_events=20",
    "kind=refuse,status=503,chance=0.1",
    "kind=expire,after_s={12},chance=0.3",
    "kind=response-failed,code=server_error,chance=0.1",
]
_TURNS = (10, 60)
_PAUSE_S = (0.5, 4.0)
_SAMPLE_S = 10.0
_SETTLING_LOOKS = 300
"""How often it is looked whether all tasks have ended after the last conversation, ten times a second."""


class _Soak:
    def __init__(self, base_url: str, speed: float) -> None:
        self._speed = speed
        self.counts = dict.fromkeys(("conversations", "turns", "wrong", "failed", "connections"), 0)
        self._profile = Profile.model_validate(
            {
                "version": 1,
                "endpoint": {
                    "kind": "custom",
                    "base_url": base_url,
                    "ping_interval_s": 2 / speed,
                    "ping_timeout_s": 3 / speed,
                },
                "model": {"name": "test"},
                "session": {"output_modalities": ["text"]},
                "run": {
                    "stall_timeout_s": 4 / speed,
                    "max_response_retries": 10,
                    "reconnect": {"initial_delay_s": 0.2, "max_delay_s": 2, "max_attempts": 100},
                },
            }
        )

    async def converse(self) -> None:
        """One conversation after another, until cancelled."""
        while True:
            try:
                async with open_session(self._profile) as session:
                    await self._talk(session)
                    self.counts["connections"] += session.epoch
            except RunnerError:
                self.counts["failed"] += 1
            self.counts["conversations"] += 1

    async def _talk(self, session: Session) -> None:
        expected: list[str] = []
        for turn in range(random.randint(*_TURNS)):  # noqa: S311  # no secret
            await session.say(f"turn {turn}")
            await session.wait_answered()
            expected += [f"turn {turn}", f"You said: turn {turn}"]
            self.counts["turns"] += 1
            await anyio.sleep(random.uniform(*_PAUSE_S) / self._speed)  # noqa: S311  # no secret
        if [item.text for item in session.state.conversation.items] != expected:
            self.counts["wrong"] += 1


def _sample(soak: _Soak, since_s: float) -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "at_s": round(time.monotonic() - since_s),
        "tasks": len(asyncio.all_tasks()),
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "memory_mb": round(pages * 4096 / 1_000_000, 1),
        **soak.counts,
    }


def _faster(fault: str, speed: float) -> str:
    """A fault with its moment, in braces, so many times as early."""
    return re.sub(r"\{(\d+)\}", lambda found: f"{int(found[1]) / speed:.2f}", fault)


async def soaked(minutes: float, sessions: int, speed: float = 1.0, turns: int = 0) -> dict[str, Any]:
    """Run for so long; returns the samples' means early and late, and the counts.

    Args:
        minutes: How long at least.
        sessions: How many conversations there are at once.
        speed: How much faster than in life things happen: pauses, faults, and the patience with them.
        turns: How many turns are to be answered at least.
    """
    logs.configure(level="error", format="json")
    samples: list[dict[str, Any]] = []
    since_s = time.monotonic()
    with endpoint(*(f"{_faster(fault, speed)},times=0" for fault in _FAULTS)) as base_url:
        soak = _Soak(base_url, speed)
        async with anyio.create_task_group() as tasks:
            for _ in range(sessions):
                tasks.start_soon(soak.converse)
            while time.monotonic() < since_s + minutes * 60 or soak.counts["turns"] < turns or not samples:
                await anyio.sleep(_SAMPLE_S / speed)
                samples.append(_sample(soak, since_s))
                print(json.dumps(samples[-1]), flush=True)
            tasks.cancel_scope.cancel()
        for _ in range(_SETTLING_LOOKS):
            if len(asyncio.all_tasks()) == 1:
                break
            await anyio.sleep(0.1)
        over = _sample(soak, since_s)
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth] or samples, samples[-fifth:]
    means = {
        key: {"early": round(mean(each[key] for each in early), 1), "late": round(mean(each[key] for each in late), 1)}
        for key in ("tasks", "files", "memory_mb")
    }
    return {**soak.counts, **means, "afterwards": {key: over[key] for key in ("tasks", "files")}}


if __name__ == "__main__":
    length = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    crowd = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    print(json.dumps(asyncio.run(soaked(length, crowd)), indent=2))
