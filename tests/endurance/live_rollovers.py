"""`python -m tests.endurance.live_rollovers [TURNS] [stored]`: a Live conversation over many connections.

Every other connection is cut at a random moment, and the rest are replaced in time. Each new one has to be told of the
conversation exactly, as far as the bounds allow, or forks the one before where that is stored; and nothing may be said
twice. Time is virtual.
"""

import itertools
import json
import random
import sys
from collections import Counter
from typing import Any

import anyio

from runner.profile.session_source import SessionProfile
from runner.protocol.effects import TurnEnded
from runner.session.opening import kept_session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.helpers.log_capture import captured_log
from tests.helpers.virtual_time import in_virtual_time

LIFE_S = 24.0
"""A connection is replaced at a quiet moment in the second half of it, in virtual seconds."""
LOST_WITHIN_S = (4.0, 14.0)
"""The moments in the life of a connection between which it is cut."""
BOUNDS = {"max_items": 40, "max_tokens": 600}
"""Of the newest messages, either may be what holds."""

_ITEM_TOKENS, _CHARACTERS_PER_TOKEN = 4, 4
_MEANWHILE = "Meanwhile this was said in the conversation:\n"
_TYPED = "\n\n"
_THOUGHT_S = 3.0
"""The longest time from an answer to the next question, in virtual seconds."""


def _profile(seed: int, turns: int, *, is_stored: bool) -> Profile:
    moments = random.Random(seed)  # noqa: S311  # reproducible, no secret
    faults = [
        {"kind": "drop", "first": number, "after_s": round(moments.uniform(*LOST_WITHIN_S), 2)}
        for number in range(2, turns, 2)
    ]
    return Profile.model_validate(
        {
            "version": 1,
            "endpoint": {"kind": "local", "faults": faults},
            "model": {"name": "test"},
            "session": {"type": "live", "store": is_stored},
            "run": {
                "history": BOUNDS,
                "rollover": {"max_age_s": LIFE_S},
                # Short lives are what is tried here, and no failures.
                "reconnect": {"stable_s": 1, "initial_delay_s": 0.1, "max_delay_s": 0.5},
                "max_response_retries": 10,
            },
        }
    )


def _newest(said: list[str]) -> list[str]:
    """The messages of a conversation that the bounds allow, counted here once more."""
    tokens = 0
    for number, text in enumerate(reversed(said)):
        tokens += _ITEM_TOKENS + len(text) // _CHARACTERS_PER_TOKEN
        if number >= BOUNDS["max_items"] or tokens > BOUNDS["max_tokens"]:
            return said[len(said) - number :]
    return said


class _Witness:
    """Sees what is said, and what each connection is told of."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[str] = []
        self.halves = 0
        self.forks = 0
        self.wrong: list[str] = []
        """What a connection was told that was not said so."""
        self.shortened = 0
        """How many were told of less than all, since the bounds allow no more."""
        self.repeated = Counter[str]()
        """How often each question has been put to the endpoint."""

    def take(self, update: Update) -> None:
        """Keep what the model has said."""
        for effect in update.effects:
            if isinstance(effect, TurnEnded) and effect.role == "assistant":
                if effect.status == "completed":
                    self.answers.append(effect.text)
                else:
                    self.halves += 1

    def sent(self, event: Any, *, epoch: int) -> None:
        """Compare what a connection is told with what was said."""
        match event:
            case {"type": "session.start", "session": {"model": _}}:
                told = [each["content"][0]["text"] for each in event["session"].get("input", ())]
                self.shortened += len(told) < len(self._said())
                if told not in (_newest(self._said()), _newest(self._said(with_pending=False))):
                    self.wrong.append(f"connection {epoch} was told {told}")
            case {"type": "session.start"}:
                self.forks += 1
            case {"type": "session.thinking.append", "content": content}:
                self._check_meanwhile(content.removeprefix(_MEANWHILE).splitlines(), epoch)
            case {"type": "session.instructions.append", "content": content}:
                self.repeated[content.partition(_TYPED)[2]] += 1

    def received(self, event: Any, **_: Any) -> None:
        """What comes is seen by its effects."""

    def note(self, event: Any, *, epoch: int) -> None:
        """What happens to connections is counted by the log."""

    def _said(self, *, with_pending: bool = True) -> list[str]:
        pairs = itertools.zip_longest(self.asked, self.answers)
        said = [text for pair in pairs for text in pair if text]
        is_pending = len(self.asked) > len(self.answers)
        return said[:-1] if is_pending and not with_pending else said

    def _check_meanwhile(self, lines: list[str], epoch: int) -> None:
        told = [line.partition(": ")[2] for line in lines]
        if told != self._said()[-len(told) :]:
            self.wrong.append(f"connection {epoch} was told in between {told}")


async def lived_live(turns: int, seed: int = 7, *, is_stored: bool = False) -> dict[str, Any]:
    """Have a conversation of so many turns; returns what was found out."""
    witness, pauses = _Witness(), random.Random(seed)  # noqa: S311  # reproducible, no secret
    source = SessionProfile(_profile(seed, turns, is_stored=is_stored))
    with captured_log() as lines:
        async with kept_session(source, readers=[witness.take], recorder=witness) as session:
            for number in range(1, turns + 1):
                question = f"Turn number {number}, {'and a few words more ' * (number % 4)}please"
                witness.asked.append(question)
                await session.say(question)
                await session.wait_answered()
                await anyio.sleep(pauses.uniform(0, _THOUGHT_S))
            kept = [item.text for item in session.state.conversation.items if item.status == "completed"]
            lost = session.failure or session.first_unanswered
    happened = Counter(line["event"] for line in lines)
    expected = [text for each in witness.asked for text in (each, f"You said: {each}")]
    again = sum(witness.repeated[each] - 1 for each in witness.asked)
    return {
        "turns": turns,
        "rollovers": happened["session_moved"],
        "losses": happened["connection_lost"],
        "forks": witness.forks,
        "answers_exact": witness.answers == expected[1::2],
        "history_exact": kept == expected,
        "told_wrongly": witness.wrong,
        "told_within_bounds": witness.shortened,
        "answers_cut_off": witness.halves,
        "asked_again": again,
        "failure": str(lost or ""),
    }


def is_as_it_should(found: dict[str, Any]) -> bool:
    """Whether everything was told exactly, answered once, and asked again only where a loss had cut it off."""
    is_exact = found["answers_exact"] and found["history_exact"] and not found["told_wrongly"]
    return bool(
        is_exact and not found["failure"] and found["answers_cut_off"] <= found["asked_again"] <= found["losses"]
    )


if __name__ == "__main__":
    is_stored, numbers = "stored" in sys.argv, [int(each) for each in sys.argv[1:] if each.isdecimal()]
    result = in_virtual_time(lived_live, *(numbers or [200]), is_stored=is_stored)
    print(json.dumps(result, indent=2))
    sys.exit(not is_as_it_should(result))
