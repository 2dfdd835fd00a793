"""`python -m tests.endurance.across [TURNS]`: a conversation that moves between a realtime and a Live session.

The session's own endpoint closes each connection at a random moment, for a reason that is hopeless, so that the other
kind takes over; and it is tried again after a cool-down. Both are local endpoints, in virtual time.
"""

import json
import random
import sys
from collections import Counter
from typing import Any

import anyio

from runner.api.session_types import SessionType
from runner.journal.record import Record
from runner.journal.timeline import Timeline
from runner.profile.session_source import Fallback, SessionProfile
from runner.session.opening import kept_session
from runner.settings.profile import Profile
from tests.helpers.log_capture import captured_log
from tests.helpers.virtual_time import in_virtual_time

COOLDOWN_S = 4.0
CUT_WITHIN_S = (2.0, 9.0)
"""The moments in the life of a connection between which it is closed."""
_THOUGHT_S = 3.0
"""The longest time from an answer to the next question, in virtual seconds."""
_TYPED = "\n\n"


def _profile(kind: SessionType, price: float, faults: list[dict[str, Any]]) -> Profile:
    return Profile.model_validate(
        {
            "version": 1,
            "endpoint": {"kind": "local", "faults": faults},
            "session": {"type": kind},
            "run": {
                "fallback_cooldown_s": COOLDOWN_S,
                "reconnect": {"stable_s": 1, "initial_delay_s": 0.1, "max_delay_s": 0.5},
                "max_response_retries": 10,
                "limits": {"prices": {"live_minute": price, "output_text": price}},
            },
        }
    )


class _Journal:
    """Builds the timeline of the session as a journal would, and keeps what Live sessions are started with."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.told: list[list[str]] = []

    def sent(self, event: Any, *, epoch: int) -> None:
        """Take in a client event."""
        if event["type"] == "session.start":
            self.told.append([each["content"][0]["text"] for each in event["session"].get("input", ())])
        self.timeline.take(Record(1e9 + anyio.current_time(), "out", epoch, event))

    def received(self, event: Any, *, epoch: int, **_: Any) -> None:
        """Take in a server event."""
        self.timeline.take(Record(1e9 + anyio.current_time(), "in", epoch, event))

    def note(self, event: Any, *, epoch: int) -> None:
        """Take in what happens to a connection."""
        self.timeline.take(Record(1e9 + anyio.current_time(), "note", epoch, event))


async def lived_across(own: SessionType, turns: int, seed: int = 3) -> dict[str, Any]:
    """Have a conversation of so many turns, at first in a session of this kind; returns what was found out."""
    moments = random.Random(seed)  # noqa: S311  # reproducible, no secret
    other: SessionType = "live" if own == "realtime" else "realtime"
    faults = [
        {"kind": "close", "code": 4003, "first": number, "after_s": round(moments.uniform(*CUT_WITHIN_S), 2)}
        for number in range(1, turns)
    ]
    source = SessionProfile(_profile(own, 1.0, faults), "own", [Fallback("west", _profile(other, 60.0, []))])
    journal = _Journal()
    expected: list[str] = []
    with captured_log() as lines:
        async with kept_session(source, recorder=journal) as session:
            ids = {session.id}
            for number in range(1, turns + 1):
                question = f"Turn number {number}, please"
                answer = await session.ask(question)
                expected += [question, f"You said: {question}"]
                ids.add(session.id)
                if answer != expected[-1]:
                    expected[-1] = f"wrong: {answer}"
                await anyio.sleep(moments.uniform(0, _THOUGHT_S))
            kept = [item.text for item in session.state.conversation.items if item.status == "completed"]
            lost = session.failure or session.first_unanswered
            await session.aclose()
            used = session.carriage.spending.of(session.usage)
            live, realtime = ("own", "west") if own == "live" else ("west", "own")
            usage = journal.timeline.usage
    happened = Counter(line["event"] for line in lines)
    rows = [row for row in journal.timeline.rows if row.who in {"user", "assistant"}]
    return {
        "turns": turns,
        "takeovers": happened["provider_failed"],
        "ways_back": happened["session_moved"],
        "history_exact": kept == expected and not any(each.startswith("wrong") for each in expected),
        "questions_in_the_journal": [row.text for row in rows if row.who == "user"] == expected[::2],
        "told_wrongly": [
            each for each in journal.told if [one for one in each if one in expected] != expected[: len(each)]
        ],
        "live_s": {name: round(each.live_s, 1) for name, each in used.items()},
        "live_only_there": used[realtime].live_s == 0 and used[live].live_s > 0,
        "journal_live_s": round(usage.live_s, 1),
        "one_session": len(ids) == 1,
        "failure": str(lost or ""),
    }


def is_as_it_should(found: dict[str, Any]) -> bool:
    """Whether everything was told exactly, answered once and counted where it was used, in one session."""
    is_exact = found["history_exact"] and found["questions_in_the_journal"] and not found["told_wrongly"]
    return bool(is_exact and found["live_only_there"] and found["one_session"] and not found["failure"])


if __name__ == "__main__":
    kinds: tuple[SessionType, ...] = ("realtime", "live")
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    results = [{"own": kind, **in_virtual_time(lived_across, kind, number)} for kind in kinds]
    print(json.dumps(results, indent=2))
    sys.exit(not all(map(is_as_it_should, results)))
