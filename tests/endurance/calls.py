"""`python -m tests.endurance.calls [CONVERSATIONS]`: tools are called while connections are cut, again and again.

Each answer needs two calls of one response. What has to hold: every call runs once and has one output in the
conversation, and every answer uses both.
"""

import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import anyio

from runner.session.opening import open_session
from runner.settings.profile import Profile

QUESTIONS = 12
LOSSES = 39
_ANSWER_S = 60
_TOOL_S = 0.02
_SCRIPT = {
    "match": "order (\\d+)",
    "reply": "I look.",
    "calls": [{"name": "order", "arguments": {"number": f"\\1{suffix}"}} for suffix in ("a", "b")],
}


@dataclass
class Tally:
    """What has come of conversations."""

    conversations: int = 0
    connections: int = 0
    calls: int = 0
    wrong: list[str] = field(default_factory=list)
    """Answers that lack a result, calls that did not run once, and calls without an output of their own."""


async def converse(seed: int, tally: Tally, *, questions: int = QUESTIONS, losses: int = LOSSES) -> None:
    """Have one conversation whose connections are cut at random moments.

    Args:
        seed: Says when.
        tally: Takes what has come of it.
        questions: How many answers it has.
        losses: How many connections are cut.
    """
    chance, ran = random.Random(seed), Counter[str]()  # noqa: S311  # repeatable, and hides nothing
    faults = [
        {"kind": "drop", "after_events": chance.randint(3, 60), "first": number + 1, "times": 1}
        for number in range(losses)
    ]
    async with open_session(_profile(faults)) as session:

        @session.tool
        async def order(number: str) -> str:
            ran[number] += 1
            await anyio.sleep(chance.random() * _TOOL_S)
            return f"is {number}"

        for number in range(questions):
            with anyio.fail_after(_ANSWER_S):
                answer = await session.ask(f"order {number}?")
            if not (f"is {number}a" in answer and f"is {number}b" in answer):
                tally.wrong.append(f"{seed}: {answer}")
        await session.wait_idle()
        items = session.state.conversation.items
        calls, outputs = (
            sorted(each.call_id for each in items if each.type == kind)
            for kind in ("function_call", "function_call_output")
        )
        tally.wrong += [f"{seed}: {name} ran {count} times" for name, count in ran.items() if count != 1]
        tally.wrong += [] if calls == outputs and len(calls) == 2 * questions else [f"{seed}: {calls}, {outputs}"]
        tally.conversations += 1
        tally.connections += session.epoch
        tally.calls += len(calls)


def _profile(faults: list[dict[str, Any]]) -> Profile:
    reconnect = {"max_attempts": len(faults) + 1, "initial_delay_s": 0.001, "max_delay_s": 0.01}
    tables: dict[str, Any] = {
        "version": 1,
        "endpoint": {"kind": "local", "delta_interval_ms": 1, "script": [_SCRIPT], "faults": faults},
        "model": {"name": "gpt-realtime-2"},
        "session": {"output_modalities": ["text"]},
        "run": {"max_response_retries": 20, "reconnect": reconnect},
    }
    return Profile.model_validate(tables)


async def main() -> None:
    """Have so many conversations, and print what has come of them."""
    tally = Tally()
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 12):
        await converse(seed, tally)
    sys.stdout.write(f"{tally}\n")


if __name__ == "__main__":
    anyio.run(main)
