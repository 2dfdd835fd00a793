"""How long a session has nobody to answer it, where another profile takes over and the old connection still stands."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import anyio

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import endpoint
from runner.profile import make_profile
from runner.profile.session_source import Fallback, SessionProfile
from runner.protocol.effects import ResponseRetried, TextDelta
from runner.session.opening import kept_session
from runner.session.session import Session
from runner.session.update import Update

_ITEMS = 50
"""How many items the conversation has that is replayed."""
_MOST_MS = 300.0
_BOUND, _FALLBACK = "300 ms", "fallback"


@contextmanager
def comparisons(_server_core: int | None) -> Iterator[list[Comparison]]:
    """The bound, and a session that falls back on an endpoint in another process, and moves back."""
    parts = [
        Part("answer_ms", f"A response that keeps failing, to its answer elsewhere, {_ITEMS} items replayed", "ms"),
        Part("back_ms", "The longest time from a question to its answer while the session moves back", "ms"),
    ]
    with endpoint() as base_url:
        contenders = [
            Contender(_BOUND, lambda: dict.fromkeys((each.name for each in parts), _MOST_MS)),
            Contender(_FALLBACK, partial(anyio.run, measured, base_url)),
        ]
        claims = [Claim(_FALLBACK, _BOUND, at_most=1.0)]
        parts = [Part(each.name, each.title, each.unit, claims) for each in parts]
        yield [Comparison("A fallback while the old connection stands", "", contenders, parts=parts)]


async def measured(base_url: str) -> Mapping[str, float]:
    """What a session takes whose own endpoint fails one response, and then serves again."""
    faults = [{"kind": "response-failed"}]
    own = make_profile(
        endpoint={"kind": "local", "faults": faults, "delta_interval_ms": 0},
        session={"output_modalities": ["text"]},
        run={"max_response_retries": 0, "fallback_cooldown_s": 1.0},
    )
    other = make_profile(endpoint={"kind": "custom", "base_url": base_url}, auth={"kind": "none"}, model={"name": "m"})
    clock = _Clock()
    source = SessionProfile(own, "own", [Fallback("other", other)])
    async with kept_session(source, readers=[clock.take]) as session:
        await _say_much(session)
        await session.ask("Hello")
        assert clock.failed_s
        answer_s, longest_s = clock.piece_s - clock.failed_s, 0.0
        while session.carriage.epoch < 3:
            asked_s = time.perf_counter()
            await session.ask("Hello")
            longest_s = max(longest_s, clock.piece_s - asked_s)
    return {"answer_ms": answer_s * 1e3, "back_ms": longest_s * 1e3}


class _Clock:
    """Notes when a response has failed, and when the first piece of the last answer came."""

    def __init__(self) -> None:
        self.failed_s = self.piece_s = 0.0
        self._response_id = ""

    def take(self, update: Update) -> None:
        """Read an update."""
        for effect in update.effects:
            if isinstance(effect, ResponseRetried):
                self.failed_s = time.perf_counter()
            elif isinstance(effect, TextDelta) and effect.response_id != self._response_id:
                self._response_id, self.piece_s = effect.response_id, time.perf_counter()


async def _say_much(session: Session) -> None:
    """Have a conversation that a next connection has to be told of."""
    for number in range(_ITEMS):
        content = [{"type": "input_text", "text": f"What is said in the message of the number {number}"}]
        item = {"type": "message", "role": "user", "content": content}
        await session.send({"type": "conversation.item.create", "item": item})
    await session.wait_idle()
